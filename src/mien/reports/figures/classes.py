"""Class distribution of each split, as bars and as pies."""

from __future__ import annotations

from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mien.labels import named_labels
from mien.reports.svg import COLOURS, STYLE, WIDTH_IN, class_names, height_of_rows, new_figure

_LEGEND_COLUMNS: Final = 4
_BESIDE_LEGEND: Final = 2  # classes beside the legend of the bars
_ROOM: Final = 0.75  # of the longest bar: a longer one would run into the legend
_SPLIT_COLOURS = dict(zip(("train", "val", "test"), COLOURS, strict=False))


@mpl.rc_context({**STYLE, "axes.grid": False})
def draw_class_counts(counts: dict[str, dict[str, int]]) -> Figure:
    """Draw the number of images of each class as bars, one per split.

    Args:
        counts: split -> class -> number of images, zeros included; at least one split.
    """
    names = list(next(iter(counts.values())))
    figure, axes = new_figure(height_of_rows(3.6, len(names), each_in=0.42))
    height = 0.8 / len(counts)
    positions = np.arange(len(names))
    for index, (split, by_class) in enumerate(counts.items()):
        values = list(by_class.values())
        offset = (index - (len(counts) - 1) / 2) * height
        bars = axes.barh(
            positions + offset, values, height * 0.92, color=_SPLIT_COLOURS[split], label=split
        )
        axes.bar_label(bars, [f"{value:,}" for value in values], padding=3, fontsize=8)
    axes.set_yticks(positions, class_names(names))
    axes.invert_yaxis()
    axes.set_xlabel("images")
    axes.margins(x=0.14)
    axes.tick_params(axis="y", length=0)
    if _has_room(counts):
        axes.legend(loc="lower right")
    else:
        figure.legend(loc="outside lower center", ncols=len(counts))
    return figure


def _has_room(counts: dict[str, dict[str, int]]) -> bool:
    """Return whether the bars of the last classes are short enough for a legend beside them."""
    last = max(max(list(by_class.values())[-_BESIDE_LEGEND:]) for by_class in counts.values())
    return last <= _ROOM * max(max(by_class.values()) for by_class in counts.values())


@mpl.rc_context(STYLE)
def draw_class_shares(counts: dict[str, dict[str, int]]) -> Figure:
    """Draw the share of each class in each split as a pie.

    Args:
        counts: split -> class -> number of images, zeros included; at least one split.
    """
    names = list(next(iter(counts.values())))
    colours = named_labels(names).colours
    legend_rows = -(-len(names) // _LEGEND_COLUMNS)
    height = 2.6 + 0.17 * max(0, legend_rows - 2)
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    for index, (split, by_class) in enumerate(counts.items(), start=1):
        axes = figure.add_subplot(1, len(counts), index)
        values = list(by_class.values())
        wedges, _ = axes.pie(values, colors=colours, startangle=90, counterclock=False)
        axes.set_title(split, fontsize=9)
        for wedge, value in zip(wedges, values, strict=True):
            share, middle = value / sum(values), np.radians((wedge.theta1 + wedge.theta2) / 2)
            if share >= 0.06:  # a smaller wedge has no room for its number
                axes.text(
                    0.65 * np.cos(middle), 0.65 * np.sin(middle), f"{share:.0%}",
                    ha="center", va="center", fontsize=7, color=_readable_on(wedge.get_facecolor()),
                )  # fmt: skip
    figure.legend(
        wedges, class_names(names), loc="outside lower center", ncols=_LEGEND_COLUMNS, fontsize=8
    )
    return figure


def _readable_on(colour: tuple[float, ...]) -> str:
    """Return black or white, whichever contrasts more with a colour (WCAG 2's luminance)."""
    red, green, blue = (channel**2.2 for channel in colour[:3])
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#ffffff"
