"""The style of all figures, and their export as SVG (page or file) and PNG (slides).

Text, axes and grid have the page's text colour (``currentColor``), in light and in dark.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.io.names import escape_undecodable
from mien.labels import FER2013

INK: Final = "#010203"  # placeholder for currentColor until the SVG is written
WIDTH_IN: Final = 5.2  # about the width of a phone at 72 points per inch: text stays readable there

# For runs, splits and quantities: a colour of a class never stands for one of these. Each has a
# contrast of 3 to 1 at least on light and on dark; the first three, which are used for splits, can
# be told apart by colour-blind readers.
COLOURS: Final = ("#2A9D8F", "#8E6CC4", "#B5793A", "#5577DD", "#76803A", "#C06A9E")

STYLE: Final[dict[Any, Any]] = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 10,
    "grid.alpha": 0.15,
    "grid.color": INK,
    "legend.frameon": False,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",  # text stays text: small, selectable, in the font of the page
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}

_LONGEST_NAME: Final = 24  # letters of a class's name that a figure shows


def height_of_rows(usual_in: float, rows: int, *, each_in: float) -> float:
    """Return the height of a figure with a row for each class, in inches.

    Args:
        usual_in: height with as many rows as FER-2013 has classes.
        rows: number of rows.
        each_in: height of each further row.
    """
    return max(usual_in / 2, usual_in + (rows - len(FER2013)) * each_in)


def plain_names(names: Iterable[str], *, longest: int | None = None) -> list[str]:
    """Return names as figures show them letter by letter, shortened if they are longer.

    Dollar signs are escaped: Matplotlib reads formulas between two of them.
    """
    shown = map(escape_undecodable, names)
    cut = (f"{name[: longest - 1]}…" if longest and len(name) > longest else name for name in shown)
    return [name.replace("$", r"\$") for name in cut]


def class_names(names: Iterable[str]) -> list[str]:
    """Return the names of classes as figures show them."""
    return plain_names(names, longest=_LONGEST_NAME)


def new_figure(height_in: float) -> tuple[Figure, Axes]:
    """Return an empty figure about as wide as a phone, and its axes.

    Args:
        height_in: height of the figure, in inches.
    """
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return figure, figure.add_subplot()


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG for inlining into HTML; the same figure gives the same text."""
    raw = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": "mien"}), _any_letters():
        figure.savefig(raw, format="svg", metadata={"Date": None, "Creator": None})
    svg = raw.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", svg, count=1)
    # Ids must be unique among all figures on a page.
    prefix = hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(r'id="', f'id="f{prefix}-', svg)
    return re.sub(r'(url\(|href=")#', rf"\g<1>#f{prefix}-", svg)


@contextmanager
def _any_letters() -> Iterator[None]:
    """Draw names in letters that Matplotlib's font lacks without a warning for each of them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def as_file(svg: str) -> str:
    """Return inline SVG as the text of an SVG file, in a gray readable on light and dark."""
    return svg.replace("<svg ", '<svg font-family="sans-serif" style="color:#768390" ', 1)


def to_picture(figure: Figure) -> bytes:
    """Return a figure as a PNG file on white, for slides and papers."""
    raw = io.BytesIO()
    with mpl.rc_context(STYLE), _any_letters():
        figure.savefig(raw, format="png", dpi=200, facecolor="white", metadata={"Software": None})
    return raw.getvalue()
