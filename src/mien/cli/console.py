"""Terminal output of all verbs: two consoles, tables, paths and JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mien.io.text import one_line, plain_lines, safe_json

if TYPE_CHECKING:
    from mien.reports.pages import TextTable


class _PlainConsole(Console):
    """A console that shows text and obeys nothing in it: no escape sequence, no markup, no emoji.

    Names of files may contain any of these. Line breaks in them are for the callers (`one_line`).
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return text for the terminal, without what a terminal would obey."""
        return super().render_str(plain_lines(text), **options)


class PlainTable(Table):
    """A table of which every cell is one line."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row of cells."""
        super().add_row(*(one_line(c) if isinstance(c, str) else c for c in cells), **options)


out = _PlainConsole()  # results
err = _PlainConsole(stderr=True)  # everything else

_MOST_SKIPPED: Final = 20  # lines


def print_json(value: Any) -> None:
    """Print plain data as JSON on standard output."""
    print(safe_json(value))


def new_table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table, its first column left-aligned and the others right-aligned.

    Args:
        columns: headings of the columns.
        title: heading of the table.
    """
    table = PlainTable(
        title=title and one_line(title),
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    for index, column in enumerate(columns):
        table.add_column(
            column, justify="right" if index else "left", header_style="dim", overflow="fold"
        )
    return table


def print_table(table: TextTable) -> None:
    """Print a table with its title and its note."""
    widest = [max(map(len, cells), default=0) for cells in zip(*table.rows, strict=True)]
    headings = [  # a heading that is wider than its figures takes two lines
        column.replace(" ", "\n", 1) if len(column) > width else column
        for column, width in zip(
            map(one_line, table.columns), widest or [0] * len(table.columns), strict=True
        )
    ]
    shown = new_table(*headings, title=table.title)
    for row in table.rows:
        shown.add_row(*row)
    out.print(shown)
    if table.note:
        out.print(one_line(table.note), style="dim")
    out.print()


def say_skipped(skipped: tuple[str, ...]) -> None:
    """List the images that were left out, on standard error.

    Args:
        skipped: one line for each image, with the reason.
    """
    if not skipped:
        return
    err.print(f"Left out {len(skipped):,} unusable images:")
    for line in skipped[:_MOST_SKIPPED]:
        err.print(f"  {one_line(line)}", soft_wrap=True)
    if len(skipped) > _MOST_SKIPPED:
        err.print(f"  and {len(skipped) - _MOST_SKIPPED:,} more")


def say_notes(notes: Iterable[str]) -> None:
    """Print the notes on how a data set was read, on standard error, each on a line of its own."""
    for note in dict.fromkeys(notes):
        say_line(f"{note}.")


def say_line(text: str, *, style: str | None = None) -> None:
    """Print text with names of files in it on standard error, as one line."""
    err.print(one_line(text), soft_wrap=True, style=style)


def say_path(label: str, path: Path) -> None:
    """Print a path on a line of its own, so that it can be copied whole.

    Args:
        label: kind of file at the path, in one word.
        path: path to print.
    """
    out.print(f"{label:<12}{one_line(str(path))}", soft_wrap=True)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide what C libraries such as libjpeg print inside this block; Python's output is shown.

    It redirects the standard error of the whole process, so it is for the command line only, before
    threads start.
    """
    before, standard = sys.stderr, sys.__stderr__
    if standard is None or before is not standard:  # closed, or replaced by the program that calls
        yield
        return
    number = standard.fileno()
    ours, nowhere = os.dup(number), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
    sys.stderr = os.fdopen(ours, "w", buffering=1, encoding=before.encoding, errors="replace")
    try:
        yield
    finally:
        os.dup2(ours, number)
        sys.stderr.close()
        sys.stderr = before
