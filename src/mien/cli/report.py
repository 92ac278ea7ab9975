"""``mien report``: one page on how good a run or a Bundle is, where it fails, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import err, say_path
from mien.cli.evaluate import Split


def report(
    model: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_BUNDLE",
            help="A run directory, a .onnx file or a shipped Bundle's name.",
        ),
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="The data set. Default: what a run was trained on, where it was; a Bundle needs "
            "one.",
        ),
    ] = None,
    split: Annotated[Split, typer.Option(help="Which images to report on.")] = Split.val,
    path: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The page. Default: report.html in the run; report-NAME.html here for a Bundle.",
        ),
    ] = None,
    with_files: Annotated[
        bool,
        typer.Option(
            "--figures",
            help="Write each figure as SVG and PNG and all numbers as JSON and CSV too, into the "
            "folder figures beside the page.",
        ),
    ] = False,
) -> None:
    """Write a report: scores, errors, calibration, explanations, robustness, and how to redo it.

    What a run has already measured is taken as it is, and what is not there is said in the page.
    """
    from mien.reports.report import figures_folder, write_report

    with err.status("Measuring and drawing"):
        written = write_report(model, data=data, split=split.value, out=path, with_files=with_files)
    say_path("report", written)
    if with_files:
        say_path("figures", figures_folder(written))
