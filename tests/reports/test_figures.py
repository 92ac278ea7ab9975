from __future__ import annotations

from matplotlib.colors import to_hex

from mien.evaluation import Evaluation
from mien.labels import COLOURS, EMOTIONS
from mien.reports.figures import draw_class_shares
from mien.reports.score_figures import draw_precision_recall, draw_roc


def test_an_emotion_has_its_own_colour_in_every_figure(run):
    shares = draw_class_shares({"val": dict.fromkeys(EMOTIONS, 5)})
    assert [to_hex(wedge.get_facecolor()).upper() for wedge in shares.axes[0].patches] == [*COLOURS]
    evaluation = Evaluation.load(run.evaluation_path("val"))
    for figure in (draw_roc(evaluation), draw_precision_recall(evaluation)):
        named = [(str(line.get_label()).split()[0], line) for line in figure.axes[0].lines]
        drawn = {name: line.get_color() for name, line in named if name in EMOTIONS}
        assert len(drawn) > 2
        assert drawn == {name: COLOURS[EMOTIONS.index(name)] for name in drawn}
