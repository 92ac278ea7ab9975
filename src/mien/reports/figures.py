"""The figures of one run: one function a figure, from plain numbers to SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mien.emotions import EMOTIONS
from mien.evaluation import Evaluation, metrics
from mien.evaluation.calibrate import risk_coverage
from mien.evaluation.result import show_score
from mien.reports.svg import COLOURS, INK, STYLE, WIDTH_IN, new_figure, to_svg

_TRAIN, _VAL, _TEST = COLOURS[:3]
_CURVE_POINTS: Final = 200
_CELL: Final = (0x44 / 255, 0x77 / 255, 0xAA / 255)


def draw_curve(history: Sequence[dict[str, float]], quantity: str, kept_epoch: int | None) -> str:
    """Draw training and validation ``loss`` or ``accuracy`` against epochs.

    Args:
        history: a run's rows.
        quantity: ``loss`` or ``accuracy``.
        kept_epoch: is marked; its weights were kept.
    """
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(2.9)
        epochs = [row["epoch"] for row in history]
        marker = "o" if len(epochs) == 1 else None
        for split, colour, style in (("train", _TRAIN, "--"), ("val", _VAL, "-")):
            values = [row[f"{split}_{quantity}"] for row in history]
            axes.plot(epochs, values, style, color=colour, label=split, marker=marker)
        if kept_epoch is not None:
            axes.axvline(kept_epoch, color=INK, alpha=0.5, linewidth=1, linestyle=":")
            axes.annotate(  # above the axes, where no curve runs
                f"kept: {kept_epoch}", (kept_epoch, 1), (0, 3), ha="center", va="bottom",
                xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=9,
            )  # fmt: skip
        axes.set_xlabel("epoch")
        axes.set_ylabel(quantity)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="lower right" if quantity == "accuracy" else "upper right")
        return to_svg(figure)


def draw_confusion(evaluation: Evaluation) -> str:
    """Draw the confusion matrix: counts, shaded by their share of the row's images."""
    counts = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = len(EMOTIONS)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
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
        return to_svg(figure)


def draw_roc(evaluation: Evaluation) -> str:
    """Draw each emotion's ROC curve against all the others, its area in the legend."""
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(4.4)
        axes.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=1, linestyle=":")
        for index, label in enumerate(_present(evaluation)):
            false_rate, true_rate = metrics.roc_curve(*_one_against_rest(evaluation, label))
            area = show_score(evaluation.per_class[label].roc_auc)
            _draw_line(axes, index, false_rate, true_rate, f"{EMOTIONS[label]} {area}")
        axes.set_xlabel("share of other faces read so (false positive rate)")
        axes.set_ylabel("share of its faces read so (true positive rate)")
        axes.legend(loc="lower right", fontsize=8)
        return to_svg(figure)


def draw_precision_recall(evaluation: Evaluation) -> str:
    """Draw each emotion's precision against recall, the average precision in the legend."""
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(4.4)
        for index, label in enumerate(_present(evaluation)):
            recall, precision = metrics.precision_recall_curve(
                *_one_against_rest(evaluation, label)
            )
            area = metrics.average_precision(recall, precision)
            _draw_line(axes, index, recall, precision, f"{EMOTIONS[label]} {area:.3f}")
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.set_ylim(0, 1.02)
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        return to_svg(figure)


def draw_reliability(evaluation: Evaluation) -> str:
    """Draw accuracy against confidence in bins, over how many images each bin has."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 4.0), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        found = metrics.reliability(*_arrays(evaluation))
        bins = len(found.images)
        middles = (np.arange(bins) + 0.5) / bins
        above.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=1, linestyle=":")
        filled = found.images > 0
        above.plot(found.confidence[filled], found.accuracy[filled], "o-", color=_VAL, markersize=4)
        above.set_ylabel("share read as labelled")
        above.set_ylim(0, 1.02)
        below.bar(middles, found.images, 0.9 / bins, color=_VAL)
        below.set_ylabel("images")
        below.set_xlabel("confidence: the highest probability")
        below.set_xlim(0, 1)
        return to_svg(figure)


def draw_risk_coverage(evaluation: Evaluation, uncertain_below: float) -> str:
    """Draw the share of errors among the surest images, as more of them are answered.

    Args:
        evaluation: with probabilities.
        uncertain_below: the threshold in use, which is marked; 0 for none.
    """
    labels, probabilities = _arrays(evaluation)
    thresholds, coverage, risk = risk_coverage(probabilities, labels)
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(4.0)
        shown = coverage * len(labels) >= min(20, len(labels))  # fewer images say nothing
        axes.plot(coverage[shown], risk[shown], color=_VAL)
        if uncertain_below and (thresholds >= uncertain_below).any():
            at = int(np.nonzero(thresholds >= uncertain_below)[0][-1])
            axes.plot(coverage[at], risk[at], "o", color=_TRAIN)
            axes.annotate(
                f"sure: {coverage[at]:.0%} of faces, {risk[at]:.0%} wrong",
                (coverage[at], risk[at]), (-6, 8), ha="right",
                textcoords="offset points", fontsize=9,
            )  # fmt: skip
        axes.set_xlim(0, 1.02)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("share of faces answered, the surest first")
        axes.set_ylabel("share of wrong answers")
        return to_svg(figure)


def draw_class_shares(counts: dict[str, dict[str, int]]) -> str:
    """Draw each split's emotions as a pie. ``counts``: split -> emotion -> images."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.6), layout="constrained")
        for index, (split, by_emotion) in enumerate(counts.items(), start=1):
            axes = figure.add_subplot(1, len(counts), index)
            values = [by_emotion[emotion] for emotion in EMOTIONS]
            wedges, _ = axes.pie(
                values, colors=COLOURS[: len(EMOTIONS)], startangle=90, counterclock=False
            )
            axes.set_title(split, fontsize=9)
            for wedge, value in zip(wedges, values, strict=True):
                share, middle = value / sum(values), np.radians((wedge.theta1 + wedge.theta2) / 2)
                if share >= 0.05:  # a smaller one has no room for its figure
                    axes.text(
                        0.65 * np.cos(middle), 0.65 * np.sin(middle), f"{share:.0%}",
                        ha="center", va="center", fontsize=7,
                    )  # fmt: skip
        figure.legend(wedges, EMOTIONS, loc="outside lower center", ncols=4, fontsize=8)
        return to_svg(figure)


def _present(evaluation: Evaluation) -> list[int]:
    """Return the labels that have a curve: some images have them, and some have not."""
    return [label for label, row in enumerate(evaluation.per_class) if row.roc_auc is not None]


def _arrays(evaluation: Evaluation) -> tuple[metrics.Labels, npt.NDArray[np.float64]]:
    return np.array(evaluation.labels), np.array(evaluation.probabilities)


def _one_against_rest(
    evaluation: Evaluation, label: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    labels, probabilities = _arrays(evaluation)
    return labels == label, probabilities[:, label]


def _draw_line(axes: Axes, index: int, x: metrics.Floats, y: metrics.Floats, name: str) -> None:
    # A curve has a point a face, and each is bytes of the page; these lie evenly along its length.
    way = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], _CURVE_POINTS)))
    axes.plot(x[kept], y[kept], color=COLOURS[index], linewidth=1.4, label=name)


def draw_class_counts(counts: dict[str, dict[str, int]]) -> str:
    """Draw the images of each emotion, a bar a split. ``counts``: split -> emotion -> images."""
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = new_figure(3.0)
        height = 0.8 / len(counts)
        positions = np.arange(len(EMOTIONS))
        colours = dict(zip(("train", "val", "test"), (_TRAIN, _VAL, _TEST), strict=True))
        for index, (split, by_emotion) in enumerate(counts.items()):
            values = [by_emotion[emotion] for emotion in EMOTIONS]
            offset = (index - (len(counts) - 1) / 2) * height
            bars = axes.barh(
                positions + offset, values, height * 0.92, color=colours[split], label=split
            )
            axes.bar_label(bars, [f"{value:,}" for value in values], padding=3, fontsize=8)
        axes.set_yticks(positions, EMOTIONS)
        axes.invert_yaxis()
        axes.set_xlabel("images")
        axes.margins(x=0.14)
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="lower right")
        return to_svg(figure)
