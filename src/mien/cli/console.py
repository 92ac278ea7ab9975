"""Terminal output of all verbs: two consoles, tables, paths and JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mien.reports.pages import TextTable

# Without markup and emojis, because names of files may contain [b] and :smile:.
out = Console(highlight=False, markup=False, emoji=False)  # results
err = Console(stderr=True, highlight=False, markup=False, emoji=False)  # everything else

_MOST_SKIPPED: Final = 20  # lines


def print_json(value: Any) -> None:
    """Print plain data as JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def new_table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table, its first column left-aligned and the others right-aligned.

    Args:
        columns: headings of the columns.
        title: heading of the table.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
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
        for column, width in zip(table.columns, widest or [0] * len(table.columns), strict=True)
    ]
    shown = new_table(*headings, title=table.title)
    for row in table.rows:
        shown.add_row(*row)
    out.print(shown)
    if table.note:
        out.print(table.note, style="dim")
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
        err.print(f"  {line}", soft_wrap=True)
    if len(skipped) > _MOST_SKIPPED:
        err.print(f"  and {len(skipped) - _MOST_SKIPPED:,} more")


def say_notes(notes: Iterable[str]) -> None:
    """Print the notes on how a data set was read, on standard error, each on a line of its own."""
    for note in dict.fromkeys(notes):
        err.print(f"{note}.", soft_wrap=True)


def say_path(label: str, path: Path) -> None:
    """Print a path on a line of its own, so that it can be copied whole.

    Args:
        label: kind of file at the path, in one word.
        path: path to print.
    """
    out.print(f"{label:<12}{path}", soft_wrap=True)


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
    sys.stderr = os.fdopen(ours, "w", buffering=1, errors="replace")
    try:
        yield
    finally:
        os.dup2(ours, number)
        sys.stderr.close()
        sys.stderr = before
