"""Figures of a data set's exploration: box plots of gray levels, and votes by label."""

from __future__ import annotations

from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mien.data.statistics import Spread
from mien.data.votes import Agreement
from mien.reports.figures.cells import draw_cells
from mien.reports.svg import COLOURS, INK, STYLE, class_names, height_of_rows, new_figure

_BOX: Final = 0.6  # height of a box, as a share of the row's height


@mpl.rc_context(STYLE)
def draw_spreads(spreads: dict[str, Spread | None], quantity: str, limit: float) -> Figure:
    """Draw one box plot per class, with whiskers from the 5th to the 95th percentile.

    Args:
        spreads: class -> percentiles; None for a class without images, whose row stays empty.
        quantity: name of the quantity, for the axis.
        limit: largest possible value, so that figures of several data sets can be compared.
    """
    figure, axes = new_figure(height_of_rows(2.9, len(spreads), each_in=0.32))
    for position, spread in enumerate(spreads.values()):
        if spread is None:
            continue
        width = spread.upper_quartile - spread.quartile
        for start, end in ((spread.low, spread.quartile), (spread.upper_quartile, spread.high)):
            axes.plot([start, end], [position, position], color=INK, alpha=0.6, linewidth=1)
        axes.barh(position, width, _BOX, left=spread.quartile, color=COLOURS[0], alpha=0.6)
        edges = [position - _BOX / 2, position + _BOX / 2]
        axes.plot([spread.median, spread.median], edges, color=INK, linewidth=1.6)
    axes.set_yticks(range(len(spreads)), class_names(spreads))
    axes.set_ylim(len(spreads) - 0.5, -0.5)
    axes.set_xlim(0, limit)
    axes.set_xlabel(quantity)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    return figure


@mpl.rc_context({**STYLE, "axes.grid": False})
def draw_majorities(agreement: Agreement, names: dict[str, str]) -> Figure:
    """Draw the most frequent votes on the images of each label, as shares of the label's images.

    Args:
        agreement: majorities by label.
        names: FER+'s name of a majority -> name of its row, from top to bottom.
    """
    counts = np.array(
        [[row.majorities[vote] for row in agreement.by_label.values()] for vote in names]
    )
    shares = counts / np.maximum(counts.sum(0), 1)
    figure, axes = new_figure(4.6)
    draw_cells(axes, shares, columns=list(agreement.by_label), rows=list(names.values()))
    for row, column in np.argwhere(counts):
        axes.text(
            column + 0.5, row + 0.5, show_share(shares[row, column]),
            ha="center", va="center", fontsize=8.5,
        )  # fmt: skip
    axes.set_xlabel("label")
    axes.set_ylabel("most frequent vote")
    return figure


def show_share(share: float) -> str:
    """Return a share in whole percent; one that would round to 0 as ``<1%``."""
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"
