"""Shared parts of all pages: rendering, tables for page, terminal and Markdown, number formats."""

from __future__ import annotations

import base64
import csv
import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from mien.evaluation.describe import show_score
from mien.images.crop import CropSpec, encode_png, to_crop, to_image
from mien.io.names import escape_undecodable
from mien.io.text import csv_cell, markdown_text
from mien.reports.svg import to_svg
from mien.types import Crop

NO_VALUE: Final = "–"
_SHOWN_PX: Final = 112  # largest side of a face crop on a page: about its width there


@dataclass(frozen=True)
class TextTable:
    """A table of formatted texts, the same in the terminal, in Markdown and in HTML.

    The first column is left-aligned text; the others are right-aligned figures.

    Args:
        title: heading of the table.
        columns: heading of each column.
        rows: cells of each row, one for each column.
        note: explanation below the table; empty for none.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def to_markdown(self) -> str:
        """Return the table as Markdown."""
        heading, *rows = (
            f"| {' | '.join(map(markdown_text, line))} |" for line in (self.columns, *self.rows)
        )
        rule = f"| {' | '.join(['---', *['---:'] * (len(self.columns) - 1)])} |"
        table = "\n".join([heading, rule, *rows])
        note = f"\n{markdown_text(self.note)}\n" if self.note else ""
        return f"## {markdown_text(self.title)}\n\n{table}\n{note}"


def render_page(template: str, **context: Any) -> str:
    """Return a whole HTML page, which needs no other file.

    Args:
        template: file name of the page's template in ``reports/templates``.
        context: values that the template uses.
    """
    page = _environment().get_template(template).render(context)
    return escape_undecodable(page)


def render_text(template: str, **context: Any) -> Markup:
    """Return a part of a page as HTML.

    Args:
        template: text of the template, which may import from ``reports/templates``.
        context: values that the template uses.
    """
    return Markup(_environment().from_string(template).render(context))


@functools.cache
def _environment() -> jinja2.Environment:
    """Return the environment in which every template is rendered."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("mien.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["score"] = show_score
    made.filters["percent"] = lambda value: f"{round(100 * value)}%"
    made.filters["points"] = lambda value: f"{round(100 * value)}"
    made.filters["count"] = lambda value: f"{value:,}"
    made.filters["duration"] = show_duration
    made.filters["png"] = lambda image: _as_png(cv2.imencode(".png", image)[1].tobytes())
    made.filters["crop"] = lambda crop: _as_png(encode_png(_at_most(crop)))
    return made


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows with the same keys as CSV, with the keys as header; no cell is a formula."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writerow({name: csv_cell(name) for name in writer.fieldnames})
    writer.writerows({name: csv_cell(cell) for name, cell in row.items()} for row in rows)
    return text.getvalue()


def embed(figure: Figure) -> Markup:
    """Return a figure as inline SVG in the page's text colour."""
    return Markup(to_svg(figure))


def show_duration(seconds: float) -> str:
    """Return a duration in hours, minutes and seconds, such as ``2 min 05 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def show_large(number: float | None) -> str:
    """Return a number with three digits and k, M or G; a dash for None."""
    if number is None:
        return "–"
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{suffix}"
    return f"{number:g}"


def show_p(value: float) -> str:
    """Return a p-value with three decimals, small ones as ``<0.001``."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def show_value(value: Any) -> str:
    """Return the value of a setting as short text, for example ``64-64-128`` for a list."""
    if value is None:
        return NO_VALUE
    if isinstance(value, list):
        # between numbers with a point, a dash would read as a minus
        dash = "-" if all(isinstance(item, int) for item in value) else ", "
        return dash.join(map(str, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _at_most(crop: Crop) -> Crop:
    """Return a face crop no larger than pages show it."""
    channels = 1 if crop.ndim == 2 else 3
    return to_crop(to_image(crop), CropSpec(min(len(crop), _SHOWN_PX), channels))


def _as_png(png: bytes) -> str:
    """Return a PNG file as the ``src`` of an HTML image: a data URL."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
