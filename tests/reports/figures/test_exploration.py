from __future__ import annotations

import numpy as np
from tests.reports.test_explore import with_votes

from mien.data.statistics import explore
from mien.reports.figures.exploration import draw_majorities, draw_spreads, show_share
from mien.reports.svg import to_svg


def test_a_class_without_images_keeps_its_place_in_the_box_plots(faces):
    spreads = explore(faces).intensity
    svg = to_svg(draw_spreads({**spreads, "fear": None}, "gray", 255))
    assert "fear" in svg
    assert svg != to_svg(draw_spreads(spreads, "gray", 255))


def test_the_votes_are_drawn_as_shares_of_a_labels_images(faces):
    votes = explore(with_votes(faces)).votes
    svg = to_svg(draw_majorities(votes, {"happiness": "happy", "tie": "tie"}))
    assert "100%" in svg


def test_a_share_is_never_shown_as_none_when_it_is_some():
    assert [show_share(share) for share in (0, 0.004, 0.006, 1)] == ["0%", "<1%", "1%", "100%"]
    assert show_share(np.float64(0.25)) == "25%"
