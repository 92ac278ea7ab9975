"""The figures of one Evaluation: one function a figure, from plain numbers."""

from __future__ import annotations

from typing import Any, Final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mien.evaluation import Evaluation, metrics
from mien.evaluation.calibration import risk_coverage
from mien.evaluation.curves import (
    macro_roc_curve,
    pool_classes,
    precision_recall_curve,
    roc_curve,
)
from mien.evaluation.robustness import Robustness
from mien.evaluation.score import show_score
from mien.labels import COLOURS as EMOTION_COLOURS
from mien.labels import EMOTIONS
from mien.reports.svg import COLOURS, INK, STYLE, WIDTH_IN, new_figure

_FIRST, _SECOND = COLOURS[:2]
_CURVE_POINTS: Final = 200
_CELL: Final = (0x44 / 255, 0x77 / 255, 0xAA / 255)


@mpl.rc_context({**STYLE, "axes.grid": False})
def draw_confusion(evaluation: Evaluation) -> Figure:
    """Draw the confusion matrix: counts, shaded by their share of the row's images."""
    counts = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = len(EMOTIONS)
    figure, axes = new_figure(4.6)
    # never quite opaque: the page's ink stays readable on it, in light and dark
    colours = [(*_CELL, 0.8 * float(share)) for share in shares.ravel()]
    mesh = axes.pcolormesh(shares, edgecolors="none")
    mesh.set_array(None)
    mesh.set_facecolor(colours)
    for row in range(size):
        for column in range(size):
            share = shares[row, column]
            axes.text(
                column + 0.5, row + 0.44, f"{counts[row, column]:,}",
                ha="center", va="center", fontsize=9.5,
            )  # fmt: skip
            axes.text(
                column + 0.5, row + 0.76, f"{share:.0%}",
                ha="center", va="center", fontsize=7,
            )  # fmt: skip
    axes.set_xticks(np.arange(size) + 0.5, EMOTIONS, rotation=30, ha="right")
    axes.set_yticks(np.arange(size) + 0.5, EMOTIONS)
    axes.invert_yaxis()
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


@mpl.rc_context(STYLE)
def draw_class_scores(evaluation: Evaluation) -> Figure:
    """Draw precision, recall and F1 of each emotion that the split has, as bars."""
    present = [row for row in evaluation.per_class if row.images]
    figure, axes = new_figure(3.6)
    height = 0.27
    positions = np.arange(len(present))
    for index, quantity in enumerate(("precision", "recall", "f1")):
        axes.barh(
            positions + (index - 1) * height, [getattr(row, quantity) for row in present],
            height * 0.9, color=COLOURS[index], label=quantity.replace("f1", "F1"),
        )  # fmt: skip
    axes.set_yticks(positions, [row.emotion for row in present])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure


@mpl.rc_context(STYLE)
def draw_roc(evaluation: Evaluation) -> Figure:
    """Draw each emotion's ROC curve against all the others, and both averages; areas beside."""
    labels, probabilities = _arrays(evaluation)
    areas = evaluation.areas
    figure, axes = new_figure(4.9)
    axes.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=1, linestyle=":")
    for label in _present(evaluation):
        curve = roc_curve(labels == label, probabilities[:, label])
        name = f"{EMOTIONS[label]} {show_score(areas.roc[EMOTIONS[label]])}"
        _draw_line(axes, *curve, name, color=EMOTION_COLOURS[label])
    micro = roc_curve(*pool_classes(labels, probabilities))
    _draw_line(axes, *micro, f"micro {areas.roc_micro:.3f}", color=INK, linestyle="--")
    if areas.roc_macro is not None:
        macro = macro_roc_curve(labels, probabilities)
        _draw_line(axes, *macro, f"macro {areas.roc_macro:.3f}", color=INK, linestyle="-.")
    axes.set_xlabel("share of other faces read so (false positive rate)")
    axes.set_ylabel("share of its faces read so (true positive rate)")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure


@mpl.rc_context(STYLE)
def draw_precision_recall(evaluation: Evaluation) -> Figure:
    """Draw each emotion's precision against recall, and the micro average; areas beside."""
    labels, probabilities = _arrays(evaluation)
    areas = evaluation.areas
    figure, axes = new_figure(4.9)
    for label in _present(evaluation):
        curve = precision_recall_curve(labels == label, probabilities[:, label])
        name = f"{EMOTIONS[label]} {show_score(areas.precision[EMOTIONS[label]])}"
        _draw_line(axes, *curve, name, color=EMOTION_COLOURS[label])
    micro = precision_recall_curve(*pool_classes(labels, probabilities))
    _draw_line(axes, *micro, f"micro {areas.precision_micro:.3f}", color=INK, linestyle="--")
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.set_ylim(0, 1.02)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure


@mpl.rc_context(STYLE)
def draw_reliability(evaluation: Evaluation) -> Figure:
    """Draw accuracy against confidence in bins, over how many images each bin has."""
    figure = Figure(figsize=(WIDTH_IN, 4.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    found = metrics.reliability(*_arrays(evaluation))
    bins = len(found.images)
    middles = (np.arange(bins) + 0.5) / bins
    above.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=1, linestyle=":")
    filled = found.images > 0
    above.plot(found.confidence[filled], found.accuracy[filled], "o-", color=_SECOND, markersize=4)
    above.set_ylabel("share read as labelled")
    above.set_ylim(0, 1.02)
    below.bar(middles, found.images, 0.9 / bins, color=_SECOND)
    below.set_ylabel("images")
    below.set_xlabel("confidence: the highest probability")
    below.set_xlim(0, 1)
    return figure


@mpl.rc_context(STYLE)
def draw_risk_coverage(evaluation: Evaluation, uncertain_below: float) -> Figure:
    """Draw the share of errors among the surest images, as more of them are answered.

    Args:
        evaluation: with probabilities.
        uncertain_below: the threshold in use, which is marked; 0 for none.
    """
    labels, probabilities = _arrays(evaluation)
    thresholds, coverage, risk = risk_coverage(probabilities, labels)
    figure, axes = new_figure(4.0)
    shown = coverage * len(labels) >= min(20, len(labels))  # fewer images say nothing
    axes.plot(coverage[shown], risk[shown], color=_SECOND)
    if uncertain_below and (thresholds >= uncertain_below).any():
        at = int(np.nonzero(thresholds >= uncertain_below)[0][-1])
        axes.plot(coverage[at], risk[at], "o", color=_FIRST)
        axes.annotate(
            f"sure: {coverage[at]:.0%} of faces, {risk[at]:.0%} wrong",
            (coverage[at], risk[at]), (-6, 8), ha="right",
            textcoords="offset points", fontsize=9,
        )  # fmt: skip
    axes.set_xlim(0, 1.02)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("share of faces answered, the surest first")
    axes.set_ylabel("share of wrong answers")
    return figure


@mpl.rc_context(STYLE)
def draw_robustness(robustness: Robustness) -> Figure:
    """Draw accuracy at the five strengths of each change, over that on the faces as they are."""
    rows = -(-len(robustness.accuracy) // 2)
    figure = Figure(figsize=(WIDTH_IN, 1.6 * rows), layout=ConstrainedLayoutEngine(h_pad=0.1))
    grid = figure.subplots(rows, 2, sharey=True, squeeze=False)
    for axes, name in zip(grid.ravel(), robustness.accuracy, strict=False):
        values, amounts = robustness.accuracy[name], robustness.amounts[name]
        steps = range(len(values))
        axes.axhline(robustness.clean, color=INK, alpha=0.5, linewidth=1, linestyle=":")
        axes.plot(steps, values, "o-", color=_FIRST, markersize=4, linewidth=1.4)
        axes.set_title(name, fontsize=9)
        axes.set_xticks(steps, [f"{amount:g}" for amount in amounts])
        axes.tick_params(labelsize=8)
        axes.set_ylim(0, 1)
    for axes in grid.ravel()[len(robustness.accuracy) :]:
        axes.set_axis_off()
    figure.supylabel("accuracy", fontsize=10)
    return figure


def _present(evaluation: Evaluation) -> list[int]:
    """Return the labels that have a curve: some images have them, and some have not."""
    return [label for label, row in enumerate(evaluation.per_class) if row.roc_auc is not None]


def _arrays(evaluation: Evaluation) -> tuple[metrics.Labels, npt.NDArray[np.float64]]:
    return np.array(evaluation.labels), np.array(evaluation.probabilities)


def _draw_line(axes: Axes, x: metrics.Floats, y: metrics.Floats, name: str, **looks: Any) -> None:
    # A curve has a point a face, and each is bytes of the page; these lie evenly along its length.
    way = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], _CURVE_POINTS)))
    axes.plot(x[kept], y[kept], linewidth=1.4, label=name, **looks)
