"""``mien compare``: compare runs, and test which differences are more than chance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import out, print_json, print_table, say_path
from mien.cli.options import JsonOption, Split
from mien.io.text import one_line


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Paths of two or more finished run directories; all but one may be Bundles.",
        ),
    ],
    split: Annotated[
        Split,
        typer.Option(help="Split to compare on. Choose on val, and look at test once, at the end."),
    ] = Split.val,
    path: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the page and the tables.")
    ] = Path("runs/compare"),
    as_json: JsonOption = False,
) -> None:
    """Compare runs: scores with intervals, F1 of each class, costs, and a test for each pair.

    A run that has not been measured on the split is measured now, and keeps the evaluation.
    Bundles, such as mien-s, are measured on the data of the first run.
    """
    from mien.io.files import refuse_unwritable_file
    from mien.reports.comparison import (
        comparison_records,
        comparison_tables,
        verdicts,
        write_comparison,
    )
    from mien.runs.compare import compare_runs

    refuse_unwritable_file(path / "compare.html")
    comparison = compare_runs(runs, split.value)
    page = write_comparison(comparison, path)
    if as_json:
        print_json(comparison_records(comparison))
        return
    for line in verdicts(comparison):
        out.print(f"{one_line(line)}\n")
    for table in comparison_tables(comparison):
        print_table(table)
    say_path("page", page)
    say_path("tables", page.with_suffix(".md"))
    say_path("figures", page.with_suffix(".csv"))
