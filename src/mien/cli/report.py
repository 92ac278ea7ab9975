"""``mien report``: write the report of a run or a Bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import err, say_path
from mien.cli.options import GroupsOption, ModelArgument, Split


def report(
    model: ModelArgument,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Data set. Default: the data that a run was trained on; a Bundle has no default.",
        ),
    ] = None,
    split: Annotated[Split, typer.Option(help="Split to report on.")] = Split.val,
    path: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Path of the page. Default: report.html in the run; report-NAME.html in the "
            "working directory for a Bundle.",
        ),
    ] = None,
    groups: GroupsOption = None,
    with_files: Annotated[
        bool,
        typer.Option(
            "--figures",
            help="Also write each figure as SVG and PNG and all numbers as JSON and CSV, to the "
            "folder figures next to the page.",
        ),
    ] = False,
) -> None:
    """Write a report: scores, errors, calibration, robustness, explanation, how to reproduce it.

    A run's kept evaluation is used without measuring again. The page says what is missing.
    """
    from mien.reports.report import figures_folder, write_report

    with err.status("Measuring and drawing"):
        written = write_report(
            model, data=data, split=split.value, out=path, groups=groups, with_files=with_files
        )
    say_path("report", written)
    if with_files:
        say_path("figures", figures_folder(written))
