from __future__ import annotations

from itertools import pairwise

from mien.bundle.scores import Score
from mien.labels import BUILT_IN
from mien.reports.figures import comparison as figures
from mien.reports.svg import COLOURS, to_svg


def test_a_name_is_shown_as_it_is():
    names = ["a$^$b", "_base"]  # a formula, and what Matplotlib leaves out of legends
    history = [{"epoch": 1.0, "val_loss": 1.0}]
    score = Score(value=0.5, low=0.4, high=0.6)
    for figure in (
        figures.draw_curves(dict.fromkeys(names, history), "val_loss"),
        figures.draw_intervals(dict.fromkeys(names, score), "accuracy"),
        figures.draw_tradeoff([figures.Point(name, 1, 0.5) for name in names], "accuracy"),
        figures.draw_parallel({names[0]: names, names[1]: [0.1, 0.2]}),
    ):
        svg = to_svg(figure)
        assert all(f">{name}</text>" in svg for name in names)


def test_one_training_that_diverges_does_not_hide_the_others():
    def scale(losses):
        histories = {
            f"run {index}": [{"epoch": 1.0, "val_loss": loss}] for index, loss in enumerate(losses)
        }
        return figures.draw_curves(histories, "val_loss").axes[0].get_yscale()

    assert scale([1.5, 1.8]) == "linear"
    assert scale([1.5, 30]) == "log"


def test_settings_over_a_wide_range_are_placed_by_their_logarithm():
    def places(values):
        figure = figures.draw_parallel({"lr": values, "accuracy": [0.1, 0.2, 0.3]})
        lines = figure.axes[0].lines[: len(values)]
        return [line.get_ydata()[0].round(2).item() for line in lines]

    assert places([0.01, 0.1, 1.0]) == [0, 0.5, 1]
    assert places([1.0, 2.0, 3.0]) == [0, 0.5, 1]


def test_the_names_of_axes_do_not_overlap():
    columns = {f"a_long_name_of_a_setting_{index}": [1.0, 2.0] for index in range(7)}
    figure = figures.draw_parallel(columns)
    figure.draw_without_rendering()
    words = [text for text in figure.axes[0].texts if text.get_fontweight() == "bold"]
    boxes = sorted((text.get_window_extent() for text in words), key=lambda box: box.x0)
    assert len(boxes) == 7
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_colours_of_runs_and_splits_are_of_no_emotion():
    emotions = {colour.upper() for labels in BUILT_IN.values() for colour in labels.colours}
    assert not emotions & set(COLOURS)
