"""What the verbs share: the two consoles, options that mean the same everywhere, tables."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mien.reports.pages import TextTable

# No markup and no emojis: what is printed holds names of files, which may hold [b] and :smile:.
out = Console(highlight=False, markup=False, emoji=False)  # results
err = Console(stderr=True, highlight=False, markup=False, emoji=False)  # everything else


class DetectorName(StrEnum):
    """What finds the faces."""

    auto = "auto"
    yunet = "yunet"
    haar = "haar"
    none = "none"


DataOption = Annotated[
    list[Path],
    typer.Option(
        "--data",
        metavar="PATH",
        help="The data set: a CSV, a folder or a Parquet file (several: repeat --data).",
    ),
]
SkipBadOption = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out what cannot be used and list it.")
]
CropsOption = Annotated[
    bool, typer.Option("--crops", help="The pictures are face crops: look for no faces.")
]
DetectorOption = Annotated[
    DetectorName, typer.Option(help="What finds the faces; auto: YuNet, else Haar.")
]
DetectorModelOption = Annotated[
    Path | None, typer.Option(metavar="PATH", help="YuNet's file, if not in mien's cache.")
]
MaxPixelsOption = Annotated[
    int, typer.Option(min=1, help="Refuse pictures of more pixels than this.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def print_json(value: Any) -> None:
    """Print plain data as JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def new_table(*columns: str, title: str | None = None) -> Table:
    """Return a table whose first column is text and whose others are figures."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(
            column, justify="right" if index else "left", header_style="dim", overflow="fold"
        )
    return table


def print_table(table: TextTable) -> None:
    """Print a table with its title and its note."""
    widest = [max(map(len, cells), default=0) for cells in zip(*table.rows, strict=True)]
    headings = [  # a heading that is wider than its figures stands on two lines
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
    """List on standard error what was left out."""
    if not skipped:
        return
    shown = 20
    err.print(f"Left out {len(skipped):,} that could not be used:")
    for line in skipped[:shown]:
        err.print(f"  {line}", soft_wrap=True)
    if len(skipped) > shown:
        err.print(f"  and {len(skipped) - shown:,} more")


def say_path(label: str, path: Path) -> None:
    """Print where something is, on a line of its own that can be copied whole."""
    out.print(f"{label:<12}{path}", soft_wrap=True)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep what libjpeg and its like print off the terminal; what Python prints is shown.

    It holds for the whole process, so it is only for the command line, before threads begin.
    """
    before, standard = sys.stderr, sys.__stderr__
    if standard is None or before is not standard:  # closed, or somebody else's
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
