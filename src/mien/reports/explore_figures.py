"""The figures of an exploration: one function a figure, from plain numbers to SVG text."""

from __future__ import annotations

from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mien.data.statistics import Spread
from mien.data.votes import Agreement
from mien.labels import EMOTIONS
from mien.reports.svg import COLOURS, INK, STYLE, new_figure

_BOX: Final = 0.6  # of the room that an emotion has
_CELL: Final = (0x44 / 255, 0x77 / 255, 0xAA / 255)


@mpl.rc_context(STYLE)
def draw_spreads(spreads: dict[str, Spread | None], quantity: str, limit: float) -> Figure:
    """Draw a box plot an emotion: middle half, median, and whiskers to the 5th and 95th percentile.

    Args:
        spreads: emotion -> spread; None where it has no image, whose place stays empty.
        quantity: what is spread, for the axis.
        limit: the largest value that is possible, so that figures of data sets compare.
    """
    figure, axes = new_figure(2.9)
    for position, spread in enumerate(spreads.values()):
        if spread is None:
            continue
        width = spread.upper_quartile - spread.quartile
        for start, end in ((spread.low, spread.quartile), (spread.upper_quartile, spread.high)):
            axes.plot([start, end], [position, position], color=INK, alpha=0.6, linewidth=1)
        axes.barh(position, width, _BOX, left=spread.quartile, color=COLOURS[0], alpha=0.6)
        edges = [position - _BOX / 2, position + _BOX / 2]
        axes.plot([spread.median, spread.median], edges, color=INK, linewidth=1.6)
    axes.set_yticks(range(len(spreads)), list(spreads))
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
        agreement: with majorities by label.
        names: FER+'s name of a majority -> the row's name, from top to bottom.
    """
    counts = np.array(
        [[row.majorities[vote] for row in agreement.by_label.values()] for vote in names]
    )
    shares = counts / np.maximum(counts.sum(0), 1)
    figure, axes = new_figure(4.6)
    # never quite opaque: the page's ink stays readable on it, in light and dark
    mesh = axes.pcolormesh(shares, edgecolors="none")
    mesh.set_array(None)
    mesh.set_facecolor([(*_CELL, 0.8 * float(share)) for share in shares.ravel()])
    for row, column in np.ndindex(*shares.shape):
        if counts[row, column]:
            axes.text(
                column + 0.5, row + 0.5, show_share(shares[row, column]),
                ha="center", va="center", fontsize=8.5,
            )  # fmt: skip
    axes.set_xticks(np.arange(len(EMOTIONS)) + 0.5, EMOTIONS, rotation=30, ha="right")
    axes.set_yticks(np.arange(len(names)) + 0.5, list(names.values()))
    axes.invert_yaxis()
    axes.set_xlabel("label")
    axes.set_ylabel("most frequent vote")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def show_share(share: float) -> str:
    """Return a share in whole percent, small ones as less than one."""
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"
