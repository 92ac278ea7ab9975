"""``mien train``: train a recipe on a data set, or resume a stopped run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import out, say_path
from mien.cli.options import Device, DeviceOption, SettingsOption, SkipBadOption
from mien.errors import Interrupted

if TYPE_CHECKING:
    from mien.runs.run import Run
    from mien.training.listener import TrainingListener


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE",
            help="Name of a recipe, for example quick, or path of a TOML file. mien recipes lists "
            "all names.",
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Data set: a CSV, a folder or a Parquet file. Repeat --data for several Parquet "
            "files.",
        ),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option("--out", metavar="RUN", help="Run directory to make. Default: runs/RECIPE."),
    ] = None,
    settings: SettingsOption = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Continue a stopped run."),
    ] = None,
    further: Annotated[
        Path | None,
        typer.Option(
            "--continue",
            metavar="RUN",
            help="Train a finished run further: --set train.epochs=N with more epochs than it had.",
        ),
    ] = None,
    device: DeviceOption = Device.auto,
    skip_bad: SkipBadOption = False,
) -> None:
    """Train a recipe on a data set: weights, Bundle, evaluation and report in one run directory.

    Ctrl-C stops after the current step and leaves a usable run; --resume continues it.
    """
    if further is not None:
        _train_further(
            further, data, settings, others=[recipe, path, resume, skip_bad], device=device
        )
        return
    if resume is None:
        start(recipe, data, path, settings, device=device, skip_bad=skip_bad)
        return
    if recipe or path or settings or skip_bad or device is not Device.auto:
        raise typer.BadParameter(
            "can be combined with --data only; the run keeps its other settings",
            param_hint="--resume",
        )
    from mien.training.train import resume as go_on

    _with_report(resume, lambda listener: go_on(resume, data, listener=listener))


def start(
    recipe: str | None,
    data: list[Path] | None,
    path: Path | None,
    settings: list[str] | None,
    *,
    device: Device = Device.auto,
    skip_bad: bool = False,
) -> None:
    """Train a recipe from the beginning, and print its scores; for arguments, see `train`."""
    from mien.recipes import list_recipes, load_recipe

    if recipe is None:
        known = ", ".join(list_recipes())
        raise typer.BadParameter(f"name one ({known}) or a .toml file", param_hint="RECIPE")
    if not data:
        raise typer.BadParameter("name a data set: --data PATH", param_hint="--data")
    chosen = load_recipe(recipe, settings or ())

    from mien.runs.run import free_name
    from mien.training.train import train as fit

    out_path = path or free_name(Path("runs"), chosen.name)
    _with_report(
        out_path,
        lambda listener: fit(
            chosen, data, out_path, device=device.value, skip_bad=skip_bad, listener=listener
        ),
    )


def _train_further(
    run: Path,
    data: list[Path] | None,
    settings: list[str] | None,
    *,
    others: list[object],
    device: Device,
) -> None:
    if any(others) or device is not Device.auto:
        raise typer.BadParameter(
            "can be combined with --set and --data only; the run keeps its other settings",
            param_hint="--continue",
        )
    from mien.training.train import continue_training

    _with_report(
        run, lambda listener: continue_training(run, settings or (), data, listener=listener)
    )


def _with_report(path: Path, training: Callable[[TrainingListener], Run]) -> None:
    """Run a training, write its report even if it was stopped, and print its scores.

    Args:
        path: path of the run directory.
        training: function that trains the run.
    """
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
