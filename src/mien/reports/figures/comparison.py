"""Figures of several runs or trials: curves, intervals, cost against accuracy, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from mien.bundle.scores import Score
from mien.io.names import escape_undecodable
from mien.reports.svg import COLOURS, INK, STYLE, new_figure, plain_names

_SHORT_NAME: Final = 20  # letters; three longer names do not fit side by side
_DASHES: Final = ("-", "--", ":", "-.")
_LETTERS: Final = 50  # of 9 points, that fit side by side
_MOST_TICKS: Final = 12  # words on an axis of settings; more would overlap
_WIDE: Final = 8  # ratio of the largest to the smallest number, from which a scale is logarithmic
_OUTLIER: Final = 4  # the same for losses: one training that diverges must not hide the others
# The middle of Viridis: its ends are invisible on a light or a dark page.
_BY_VALUE: Final = ListedColormap(mpl.colormaps["viridis"](np.linspace(0.2, 0.85, 128)))


@dataclass(frozen=True)
class Point:
    """The cost and the accuracy of a network.

    Args:
        name: name of the network.
        macs: multiply-accumulate operations for one face.
        accuracy: accuracy, 0 to 1.
    """

    name: str
    macs: int
    accuracy: float


@mpl.rc_context(STYLE)
def draw_curves(histories: Mapping[str, Sequence[dict[str, float]]], column: str) -> Figure:
    """Draw one column of several histories against epochs, one line per run.

    Args:
        histories: name of the run -> rows of its history.
        column: name of the column, such as ``val_loss``.
    """
    figure, axes = new_figure(3.4)
    for index, history in enumerate(histories.values()):
        epochs = [row["epoch"] for row in history]
        axes.plot(
            epochs,
            [row[column] for row in history],
            _DASHES[index % len(_DASHES)],
            color=COLOURS[index % len(COLOURS)],
            marker="o" if len(epochs) == 1 else None,
            linewidth=1.4,
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel(column.replace("_", " "))
    values = [row[column] for history in histories.values() for row in history]
    positive = column.endswith("loss") and min(values, default=0) > 0
    if positive and max(values) > _OUTLIER * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    columns = 3 if max(map(len, histories), default=0) <= _SHORT_NAME else 2
    figure.legend(  # names given here: Matplotlib leaves out those that begin with _
        axes.lines, plain_names(histories), loc="outside lower center", ncols=columns, fontsize=9
    )
    return figure


@mpl.rc_context(STYLE)
def draw_intervals(scores: Mapping[str, Score], quantity: str) -> Figure:
    """Draw a score of several runs or classes with its 95% interval, from top to bottom.

    Args:
        scores: name of the run or class -> score, in order; a score that could not be computed
            leaves its row empty.
        quantity: name of the score, for the axis.
    """
    figure, axes = new_figure(0.9 + 0.33 * len(scores))
    for row, score in enumerate(scores.values()):
        if score.value is None or score.low is None or score.high is None:
            continue
        axes.plot([score.low, score.high], [row, row], color=COLOURS[0], linewidth=2, alpha=0.5)
        axes.plot([score.value], [row], "o", color=COLOURS[0])
        axes.annotate(
            f"{score.value:.3f}", (score.value, row), (0, 5), textcoords="offset points",
            ha="center", fontsize=9,
        )  # fmt: skip
    axes.set_yticks(range(len(scores)), plain_names(scores))
    axes.set_ylim(len(scores) - 0.5, -0.7)
    axes.set_xlabel(f"{quantity}, 95% interval")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    return figure


@mpl.rc_context(STYLE)
def draw_tradeoff(points: Sequence[Point], quantity: str) -> Figure:
    """Draw accuracy against the multiply-accumulate operations for one face.

    Args:
        points: networks, at least one.
        quantity: name of the accuracy, for the axis.
    """
    figure, axes = new_figure(3.4)
    cost = [point.macs / 1e6 for point in points]
    accuracy = [point.accuracy for point in points]
    axes.scatter(cost, accuracy, color=COLOURS[0], zorder=3)
    for point, x, y in zip(points, cost, accuracy, strict=True):
        axes.annotate(
            escape_undecodable(point.name),
            (x, y),
            (4, 4),
            textcoords="offset points",
            fontsize=9,
            parse_math=False,
        )
    if max(cost) > 8 * min(cost):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.15, y=0.12)
    axes.set_xlabel("million MACs per face")
    axes.set_ylabel(quantity)
    return figure


@mpl.rc_context({**STYLE, "axes.grid": False})
def draw_parallel(columns: Mapping[str, Sequence[float | str]], *, chosen: int = 0) -> Figure:
    """Draw parallel coordinates: one line per trial from its settings to its score.

    Args:
        columns: name of a setting -> value in each trial; numbers are placed by size, words in the
            order in which they first occur. The last column is the score, which colours the lines.
        chosen: position of the trial that is drawn with a thick line.
    """
    figure, axes = new_figure(3.2)
    scaled = np.array([_scaled(values) for values in columns.values()])  # (columns, trials)
    scores = np.array(list(columns.values())[-1], dtype=float)
    span = Normalize(scores.min(), scores.max())
    for trial in np.argsort(scores):
        width = 3.2 if trial == chosen else 1.4
        axes.plot(scaled[:, trial], color=_BY_VALUE(span(scores[trial])), linewidth=width)
    letters = max(4, _LETTERS // len(columns))
    for position, (name, values) in enumerate(columns.items()):
        axes.axvline(position, color=INK, linewidth=0.8, alpha=0.5)
        ticks = _ticks(values)
        for text, height in ticks if len(ticks) <= _MOST_TICKS else (ticks[0], ticks[-1]):
            axes.annotate(
                _shortened(text, letters), (position, height), (4, 3), textcoords="offset points",
                fontsize=9, va="bottom", parse_math=False,
            )  # fmt: skip
        axes.annotate(
            _shortened(name, letters), (position, 1.13), ha="center", va="bottom", fontsize=9,
            annotation_clip=False, fontweight="bold", parse_math=False,
        )  # fmt: skip
    axes.set_xlim(-0.3, len(columns) - 0.45)
    axes.set_ylim(-0.06, 1.12)
    axes.axis("off")
    return figure


def _shortened(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _scaled(values: Sequence[float | str]) -> list[float]:
    """Return positions from 0 to 1: numbers by size, over a wide range by their logarithm."""
    numbers = np.array(_numbers(values))
    if numbers.min() > 0 and numbers.max() > _WIDE * numbers.min() and not _has_words(values):
        numbers = np.log(numbers)
    low, high = numbers.min(), numbers.max()
    return ((numbers - low) / (high - low) if high > low else np.full(len(numbers), 0.5)).tolist()


def _ticks(values: Sequence[float | str]) -> list[tuple[str, float]]:
    """Return the tick labels of an axis with their positions; for numbers only the two ends."""
    placed = dict(zip(values, _scaled(values), strict=True))
    if not _has_words(values):
        ends = (min(placed, key=placed.__getitem__), max(placed, key=placed.__getitem__))
        placed = {value: placed[value] for value in ends}
    return [
        (value if isinstance(value, str) else f"{value:.3g}", height)
        for value, height in placed.items()
    ]


def _has_words(values: Sequence[float | str]) -> bool:
    return any(isinstance(value, str) for value in values)


def _numbers(values: Sequence[float | str]) -> list[float]:
    if _has_words(values):
        order = list(dict.fromkeys(values))
        return [float(order.index(value)) for value in values]
    return [float(value) for value in values]
