from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from matplotlib.colors import to_hex

from mien.bundle.scores import ClassScore
from mien.data.statistics import spread
from mien.labels import FER2013, named_labels
from mien.reports.figures.classes import draw_class_counts, draw_class_shares
from mien.reports.figures.exploration import draw_spreads
from mien.reports.sections.errors import Curve, draw_class_scores, draw_confusion, draw_curves
from mien.reports.svg import to_picture


def test_an_emotion_has_its_own_colour():
    shares = draw_class_shares({"val": dict.fromkeys(FER2013.names, 5)})
    colours = [to_hex(wedge.get_facecolor()).upper() for wedge in shares.axes[0].patches]
    assert colours == list(FER2013.colours)


def named(classes):
    return ["$a$b", "_hidden", *(f"a rather long name {label}" for label in range(classes - 2))]


@pytest.mark.parametrize("classes", [2, 3, 8, 20, 30])
def test_figures_have_room_for_any_number_of_classes(classes):
    names = named(classes)
    counts = {split: dict.fromkeys(names, 12_345) for split in ("train", "val", "test")}
    line = np.linspace(0, 1, 9)
    curves = [Curve(name, line, line, "#4477AA") for name in names]
    scores = [
        ClassScore(emotion=name, images=5, precision=0.5, recall=0.5, f1=0.5, roc_auc=0.5)
        for name in names
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*layout")  # where axes have no room
        for figure in (
            draw_class_counts(counts),
            draw_class_shares(counts),
            draw_class_scores(scores),
            draw_curves(curves, x="x", y="y"),
            draw_spreads(dict.fromkeys(names, spread(line)), "gray level", 1),
            draw_confusion(np.full((classes, classes), 1234), names),
        ):
            to_picture(figure)
            assert all(axes.get_position().height > 0.25 for axes in figure.axes)


@pytest.mark.parametrize("classes", [2, 7, 8, 9, 11, 20, 30])
def test_the_numbers_of_a_confusion_matrix_fit_into_their_cells(classes):
    counts = np.full((classes, classes), 0)
    np.fill_diagonal(counts, 1234)
    figure = draw_confusion(counts, named(classes))
    figure.set_dpi(400)  # so that widths are not rounded to pixels
    figure.draw_without_rendering()
    (axes,) = figure.axes
    cell = axes.get_window_extent()
    words = [text for text in axes.texts if text.get_text()]
    assert len(words) >= classes
    for text in words:
        extent = text.get_window_extent()
        assert extent.width < cell.width / classes
        assert extent.height < cell.height / classes
    ticks = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(
        above.y0 >= below.y1 or above.y1 <= below.y0 for above, below in itertools.pairwise(ticks)
    )


def test_a_legend_does_not_cover_long_bars():
    names = ("few", "many")
    beside = draw_class_counts({"train": dict(zip(names[::-1], (90, 9), strict=True)) | {"x": 9}})
    below = draw_class_counts({"train": dict(zip(names, (9, 90), strict=True))})
    assert beside.axes[0].get_legend() is not None
    assert below.axes[0].get_legend() is None
    assert len(below.legends) == 1


def test_each_split_is_drawn_in_the_colours_of_its_labels():
    names = ("left", "right", "none")
    pies = draw_class_shares({"train": dict.fromkeys(names, 1), "val": dict.fromkeys(names, 2)})
    for axes in pies.axes:
        drawn = [to_hex(wedge.get_facecolor()).upper() for wedge in axes.patches]
        assert drawn == list(named_labels(names).colours)
