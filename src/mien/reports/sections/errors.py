"""Errors section: confusion matrix, scores and curves of each class, most frequent mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mien.bundle.scores import ClassScore
from mien.evaluation.curves import macro_roc_curve, pool_classes, precision_recall_curve, roc_curve
from mien.evaluation.describe import show_score
from mien.evaluation.metrics import Floats
from mien.evaluation.result import Confused
from mien.labels import named_labels
from mien.reports.faces import PAIRS, Sample, confused_examples, take_samples
from mien.reports.figures.cells import draw_cells
from mien.reports.sections.base import SECTIONS, EvaluationSection
from mien.reports.svg import (
    COLOURS,
    INK,
    STYLE,
    class_names,
    height_of_rows,
    new_figure,
)
from mien.types import Array, Mask

_CURVE_POINTS: Final = 200
_ROOMY: Final = 8  # classes; the cells of more of them hold one number instead of two
_LEGEND_COLUMNS: Final = 3

_Trace = Callable[[Mask, Floats], tuple[Floats, Floats]]


class Curve(NamedTuple):
    """A curve with its name in the legend, its colour and its line style."""

    name: str
    x: Floats
    y: Floats
    colour: str
    line: str = "-"


@SECTIONS.register("errors")
class ErrorsSection(EvaluationSection):
    """Report section about the answers that differ from the labels."""

    title = "Errors"
    order = 30

    @cached_property
    def confused(self) -> list[tuple[Confused, list[Sample]]]:
        """The pairs of classes confused most often, with example faces if possible."""
        dataset, evaluation = self.content.dataset, self.evaluation
        return [
            (pair, take_samples(dataset, evaluation, rows.tolist()) if dataset else [])
            for pair, rows in confused_examples(evaluation)
        ]

    def figures(self) -> dict[str, Figure]:
        """Return the confusion matrix, and scores and curves of each class."""
        return {
            "confusion": draw_confusion(np.array(self.evaluation.confusion), self.evaluation.names),
            "classes": draw_class_scores(self.evaluation.per_class),
            "roc": draw_curves(
                self._roc_curves(),
                x="share of other faces read so (false positive rate)",
                y="share of its faces read so (true positive rate)",
                chance=True,
            ),
            "precision-recall": draw_curves(
                self._precision_recall_curves(), x="recall", y="precision", top=1.02
            ),
        }

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the confusion matrix, the scores of each class, and the answer to each face."""
        names = self.evaluation.names
        return {
            "confusion": [
                {"label": name, **dict(zip(names, row, strict=True))}
                for name, row in zip(names, self.evaluation.confusion, strict=True)
            ],
            "classes": [
                {
                    **row.model_dump(),
                    "average_precision": self.evaluation.areas.precision[row.emotion],
                }
                for row in self.evaluation.per_class
            ],
            "predictions": self._predictions(),
        }

    def numbers(self) -> dict[str, Any]:
        """Return the pairs of classes confused most often."""
        evaluation = self.content.evaluation
        pairs = evaluation.most_confused(PAIRS) if evaluation else []
        return {"most_confused": [pair.model_dump() for pair in pairs]}

    def count_faces(self) -> int:
        """Return the number of faces of the data set that the section shows."""
        return sum(len(examples) for _, examples in self.confused)

    def _predictions(self) -> list[dict[str, Any]]:
        """Return each face's id, label, answer and probabilities; none without the data set."""
        if self.content.dataset is None:
            return []
        names, ids = self.evaluation.names, self.content.dataset.split(self.content.split).ids
        return [
            {
                "id": str(ids[row]),
                "label": names[label],
                "read": names[int(probabilities.argmax())],
                **{
                    f"p_{name}": round(float(p), 4)
                    for name, p in zip(names, probabilities, strict=True)
                },
            }
            for row, (label, probabilities) in enumerate(
                zip(self.labels, self.probabilities, strict=True)
            )
        ]

    def _roc_curves(self) -> list[Curve]:
        areas = self.evaluation.areas
        curves = self._class_curves(roc_curve, areas.roc)
        micro = roc_curve(*pool_classes(self.labels, self.probabilities))
        curves.append(Curve(f"micro {areas.roc_micro:.3f}", *micro, INK, "--"))
        if areas.roc_macro is not None:
            macro = macro_roc_curve(self.labels, self.probabilities)
            curves.append(Curve(f"macro {areas.roc_macro:.3f}", *macro, INK, "-."))
        return curves

    def _precision_recall_curves(self) -> list[Curve]:
        areas = self.evaluation.areas
        micro = precision_recall_curve(*pool_classes(self.labels, self.probabilities))
        return [
            *self._class_curves(precision_recall_curve, areas.precision),
            Curve(f"micro {areas.precision_micro:.3f}", *micro, INK, "--"),
        ]

    def _class_curves(self, trace: _Trace, areas: dict[str, float | None]) -> list[Curve]:
        """Return the curve of each class that some of the images have, but not all."""
        colours = named_labels(self.evaluation.names).colours
        shown = class_names(self.evaluation.names)
        return [
            Curve(
                f"{shown[label]} {show_score(areas[row.emotion])}",
                *trace(self.labels == label, self.probabilities[:, label]),
                colours[label],
                "-" if colours[label] not in colours[:label] else ":",
            )
            for label, row in enumerate(self.evaluation.per_class)
            if row.roc_auc is not None
        ]


@mpl.rc_context({**STYLE, "axes.grid": False})
def draw_confusion(counts: Array, names: Sequence[str]) -> Figure:
    """Draw a confusion matrix: counts and their shares of the row, by which cells are shaded.

    Cells of many classes have room for the share alone, in percent, and those without images stay
    empty.

    Args:
        counts: number of images by label and prediction. Shape: (classes, classes).
        names: names of the classes, in order.
    """
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    roomy = len(names) <= _ROOMY
    figure, axes = new_figure(height_of_rows(4.6, len(names), each_in=0.5 if roomy else 0.22))
    draw_cells(axes, shares, columns=names, rows=names)
    for row, column in np.ndindex(*counts.shape):
        if roomy:
            texts = [
                (f"{counts[row, column]:,}", row + 0.44, 9.5),
                (f"{shares[row, column]:.0%}" if counts[row].any() else "–", row + 0.76, 7),
            ]
        else:
            share = f"{100 * shares[row, column]:.0f}" if counts[row, column] else ""
            texts = [(share, row + 0.5, min(7, 120 / len(names)))]
        for text, y, size in texts:
            axes.text(column + 0.5, y, text, ha="center", va="center", fontsize=size)
    axes.set_xlabel("predicted" if roomy else "predicted; numbers are percent of the row")
    axes.set_ylabel("label")
    return figure


@mpl.rc_context(STYLE)
def draw_class_scores(scores: Sequence[ClassScore]) -> Figure:
    """Draw precision, recall and F1 of each class that has images, as bars."""
    present = [row for row in scores if row.images]
    figure, axes = new_figure(height_of_rows(3.6, len(present), each_in=0.4))
    height = 0.27
    positions = np.arange(len(present))
    for index, quantity in enumerate(("precision", "recall", "f1")):
        axes.barh(
            positions + (index - 1) * height, [getattr(row, quantity) for row in present],
            height * 0.9, color=COLOURS[index + 3], label=quantity.replace("f1", "F1"),
        )  # fmt: skip
    axes.set_yticks(positions, class_names(row.emotion for row in present))
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure


@mpl.rc_context(STYLE)
def draw_curves(
    curves: Sequence[Curve], *, x: str, y: str, chance: bool = False, top: float | None = None
) -> Figure:
    """Draw curves of the classes and their averages, named in a legend below.

    Args:
        curves: curves to draw.
        x: label of the x axis.
        y: label of the y axis.
        chance: whether to draw the diagonal, which is the ROC curve of guessing.
        top: upper limit of the y axis, which then begins at 0; None fits the curves.
    """
    legend_rows = -(-len(curves) // _LEGEND_COLUMNS)
    figure, axes = new_figure(4.9 + 0.17 * max(0, legend_rows - 3))
    if chance:
        axes.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=1, linestyle=":")
    lines = []
    for curve in curves:
        kept = _evenly(curve.x, curve.y)
        lines += axes.plot(
            curve.x[kept], curve.y[kept], linewidth=1.4, label=curve.name, color=curve.colour,
            linestyle=curve.line,
        )  # fmt: skip
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if top is not None:
        axes.set_ylim(0, top)
    figure.legend(  # names given here: Matplotlib leaves out those that begin with _
        lines, [curve.name for curve in curves], loc="outside lower center", ncols=_LEGEND_COLUMNS,
        fontsize=8,
    )  # fmt: skip
    return figure


def _evenly(x: Floats, y: Floats) -> Array:
    """Return positions of points spaced evenly along a curve.

    A curve has a point per face, and every point adds to the size of the page.
    """
    way = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    return np.unique(np.searchsorted(way, np.linspace(0, way[-1], _CURVE_POINTS)))
