"""``mien train``: a recipe and a data set to a run, or a stopped run to its end."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import SkipBadOption, out, say_path
from mien.errors import Interrupted

if TYPE_CHECKING:
    from mien.runs.run import Run
    from mien.training.listener import Watcher


class Device(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A recipe's name (quick) or the path of a TOML file."),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="The data set: a CSV, a folder or a Parquet file (several: repeat --data).",
        ),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="RUN", help="The run directory to make. Default: runs/RECIPE."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: train.epochs=5."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with a run that was stopped, however it was."),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
    skip_bad: SkipBadOption = False,
) -> None:
    """Train a recipe on a data set: weights, Bundle, evaluation and report in one run directory.

    Ctrl-C stops after the current step and leaves a usable run; --resume goes on with it.
    """
    if resume is None:
        start(recipe, data, path, settings, device=device, skip_bad=skip_bad)
        return
    if recipe or path or settings or skip_bad or device is not Device.auto:
        raise typer.BadParameter(
            "goes with --data only: the rest stands in the run", param_hint="--resume"
        )
    from mien.training.train import resume as go_on

    _with_report(resume, lambda watcher: go_on(resume, data, watcher=watcher))


def start(
    recipe: str | None,
    data: list[Path] | None,
    path: Path | None,
    settings: list[str] | None,
    *,
    device: Device = Device.auto,
    skip_bad: bool = False,
) -> None:
    """Train from the beginning."""
    from mien.recipes import list_recipes, load_recipe

    if recipe is None:
        known = ", ".join(list_recipes())
        raise typer.BadParameter(f"name one ({known}) or a .toml file", param_hint="RECIPE")
    if not data:
        raise typer.BadParameter("name a data set: --data PATH", param_hint="--data")
    chosen = load_recipe(recipe, settings or ())  # what is wrong with it is told before torch loads

    from mien.runs.run import free_name
    from mien.training.train import train as fit

    out_path = path or free_name(Path("runs"), chosen.name)
    _with_report(
        out_path,
        lambda watcher: fit(
            chosen, data, out_path, device=device.value, skip_bad=skip_bad, watcher=watcher
        ),
    )


def _with_report(path: Path, training: Callable[[Watcher], Run]) -> None:
    """Run a training, write its report, also when it was stopped, and say where everything is."""
    from mien.cli.evaluate import say_scores
    from mien.cli.progress import ProgressBar
    from mien.evaluation import Evaluation
    from mien.reports.report import write_report
    from mien.runs.run import Run

    try:
        run = training(ProgressBar())
    except Interrupted:
        if Run(path).evaluation_path("val").is_file():
            write_report(Run(path))
        raise
    write_report(run)
    say_scores(Evaluation.load(run.evaluation_path("val")))
    out.print()
    say_path("report", run.report_path)
    say_path("Bundle", run.bundle_path)
    say_path("run", run.path)
