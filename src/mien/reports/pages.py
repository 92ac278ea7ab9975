"""What every page shares: the templates, and tables that read the same on paper and on screen."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import jinja2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.figure import Figure

from mien.evaluation.score import show_score
from mien.reports.svg import to_svg


@dataclass(frozen=True)
class TextTable:
    """A table of finished texts: the terminal, Markdown and HTML show the same one.

    The first column is text, the others are figures.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def to_markdown(self) -> str:
        """Return it as Markdown."""
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [self.columns, rule, *self.rows]
        table = "\n".join(f"| {' | '.join(_escape(cell) for cell in line)} |" for line in lines)
        note = f"\n{self.note}\n" if self.note else ""
        return f"## {self.title}\n\n{table}\n{note}"


def environment() -> jinja2.Environment:
    """Return the templates, with the filters that they use."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("mien.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["score"] = show_score
    made.filters["drop"] = lambda value: f"{round(100 * value)}"
    made.filters["count"] = lambda value: f"{value:,}"
    made.filters["duration"] = show_duration
    return made


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows that have the same keys as CSV, headed by the keys."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_png(image: npt.NDArray[np.uint8]) -> str:
    """Return an image as a page holds it: PNG in base64. Shape: uint8 (height, width)."""
    return base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode("ascii")


def embed(figure: Figure) -> Markup:
    """Return a figure as a page holds it: SVG that takes the page's ink."""
    return Markup(to_svg(figure))


def show_duration(seconds: float) -> str:
    """Return seconds as people say them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def show_large(number: float | None) -> str:
    """Return a large number in thousands, millions or billions, three digits of it."""
    if number is None:
        return "–"
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{suffix}"
    return f"{number:g}"


def show_p(value: float) -> str:
    """Return a p-value as people are shown it."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|")
