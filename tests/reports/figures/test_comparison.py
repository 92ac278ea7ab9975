from __future__ import annotations

from mien.bundle.scores import Score
from mien.reports.figures import comparison as figures
from mien.reports.svg import to_svg


def test_a_name_is_shown_as_it_is():
    names = ["a$^$b", "_base"]  # a formula, and what Matplotlib leaves out of legends
    history = [{"epoch": 1.0, "val_loss": 1.0}]
    score = Score(value=0.5, low=0.4, high=0.6)
    for figure in (
        figures.draw_curves(dict.fromkeys(names, history), "val_loss"),
        figures.draw_intervals(dict.fromkeys(names, score), "accuracy"),
        figures.draw_tradeoff([figures.Point(name, 1, 0.5) for name in names], "accuracy"),
        figures.draw_parallel({names[0]: names, names[1]: [0.1, 0.2]}, "accuracy"),
    ):
        svg = to_svg(figure)
        assert all(f">{name}</text>" in svg for name in names)
