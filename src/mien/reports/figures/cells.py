"""Shaded cells of a matrix, such as a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from mien.reports.svg import COLOURS, class_names
from mien.types import Array

_OPACITY: Final = 0.8  # of a share of 1: the text on a cell stays readable on light and dark pages
_SLANTED: Final = 10  # columns; the names of more of them would overlap


def draw_cells(axes: Axes, shares: Array, *, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Draw a matrix of cells, shaded by their shares, on axes without lines.

    Args:
        axes: axes to draw on.
        shares: share of each cell, 0 to 1. Shape: (rows, columns).
        columns: name of each column, from left to right.
        rows: name of each row, from top to bottom.
    """
    mesh = axes.pcolormesh(shares, edgecolors="none")
    mesh.set_array(None)
    mesh.set_facecolor([(COLOURS[0], _OPACITY * float(share)) for share in shares.ravel()])
    upright = len(columns) > _SLANTED
    turned: Any = {"rotation": 90} if upright else {"rotation": 30, "ha": "right"}
    axes.set_xticks(np.arange(len(columns)) + 0.5, class_names(columns), **turned)
    axes.set_yticks(np.arange(len(rows)) + 0.5, class_names(rows))
    axes.invert_yaxis()
    axes.tick_params(length=0, labelsize=8 if upright else None)
    axes.spines[:].set_visible(False)
