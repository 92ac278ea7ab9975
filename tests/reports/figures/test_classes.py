from __future__ import annotations

from matplotlib.colors import to_hex

from mien.labels import COLOURS, EMOTIONS
from mien.reports.figures.classes import draw_class_shares


def test_an_emotion_has_its_own_colour():
    shares = draw_class_shares({"val": dict.fromkeys(EMOTIONS, 5)})
    assert [to_hex(wedge.get_facecolor()).upper() for wedge in shares.axes[0].patches] == [*COLOURS]
