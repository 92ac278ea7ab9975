"""``mien train``: train a recipe on a data set, or resume a stopped run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import out, say_path
from mien.cli.options import (
    Device,
    DeviceOption,
    SettingsOption,
    SkipBadOption,
    recipe_names,
)
from mien.errors import Interrupted

if TYPE_CHECKING:
    from mien.runs.run import Run
    from mien.training.listener import TrainingListener


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            autocompletion=recipe_names,
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
    devices: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="COUNT",
            help="Number of GPUs of this machine, or of processes on its CPU. The batches are "
            "divided among them.",
        ),
    ] = 1,
    nodes: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="COUNT",
            help="Number of machines, each with as many --devices; start the same command on each.",
        ),
    ] = 1,
    skip_bad: SkipBadOption = False,
    report: Annotated[
        bool,
        typer.Option("--report/--no-report", help="Write the report; mien report writes it later."),
    ] = True,
) -> None:
    """Train a recipe on a data set: weights, Bundle, evaluation and report in one run directory.

    Ctrl-C stops after the current step and leaves a usable run; --resume continues it. torchrun and
    srun can start it too, in every process.
    """
    from mien.training.processes import find_place

    place = find_place()
    if devices * nodes > 1 and place.size == 1:
        from mien.training.launch import launch

        sys.exit(launch(sys.argv[1:], processes=devices, nodes=nodes, device=device.value))
    if place.rank:
        from mien.training.join import join

        join()
        return
    if further is not None:
        others: list[object] = [recipe, path, resume, skip_bad]
        _train_further(further, data, settings, others=others, device=device, report=report)
        return
    if resume is None:
        start(recipe, data, path, settings, device=device, skip_bad=skip_bad, report=report)
        return
    if recipe or path or settings or skip_bad or device is not Device.auto:
        raise typer.BadParameter(
            "can be combined with --data only; the run keeps its other settings",
            param_hint="--resume",
        )
    from mien.training.train import resume as go_on

    _finish(resume, lambda listener: go_on(resume, data, listener=listener), report=report)


def start(
    recipe: str | None,
    data: list[Path] | None,
    path: Path | None,
    settings: list[str] | None,
    *,
    device: Device = Device.auto,
    skip_bad: bool = False,
    report: bool = True,
) -> None:
    """Train a recipe from the beginning, and print its scores; for arguments, see `train`."""
    from mien.recipes import list_recipes, load_recipe

    if recipe is None:
        known = ", ".join(list_recipes())
        raise typer.BadParameter(f"name one ({known}) or a .toml file", param_hint="RECIPE")
    if not data:
        raise typer.BadParameter("name a data set: --data PATH", param_hint="--data")
    chosen = load_recipe(recipe, settings or ())

    from mien.io.files import free_path
    from mien.training.train import train as fit

    out_path = path or free_path(Path("runs") / chosen.name)
    _finish(
        out_path,
        lambda listener: fit(
            chosen, data, out_path, device=device.value, skip_bad=skip_bad, listener=listener
        ),
        report=report,
    )


def _train_further(
    run: Path,
    data: list[Path] | None,
    settings: list[str] | None,
    *,
    others: list[object],
    device: Device,
    report: bool,
) -> None:
    if any(others) or device is not Device.auto:
        raise typer.BadParameter(
            "can be combined with --set and --data only; the run keeps its other settings",
            param_hint="--continue",
        )
    from mien.training.train import continue_training

    _finish(
        run,
        lambda listener: continue_training(run, settings or (), data, listener=listener),
        report=report,
    )


def _finish(path: Path, training: Callable[[TrainingListener], Run], *, report: bool) -> None:
    """Run a training, write its report even if it was stopped, and print its scores.

    Args:
        path: path of the run directory.
        training: function that trains the run.
        report: True to write the report.
    """
    from mien.cli.evaluate import say_scores
    from mien.cli.progress import ProgressBar
    from mien.evaluation import Evaluation
    from mien.runs.run import Run

    bar = ProgressBar()
    try:
        run = training(bar)
    except Interrupted:
        if report and Run(path).evaluation_path("val").is_file():
            _report(Run(path), bar)
        raise
    else:
        if report:
            _report(run, bar)
    finally:
        bar.ended()
    say_scores(Evaluation.load(run.evaluation_path("val")))
    out.print()
    if report:
        say_path("report", run.report_path)
    say_path("Bundle", run.bundle_path)
    say_path("run", run.path)


def _report(run: Run, listener: TrainingListener) -> None:
    """Write the report of a run."""
    from mien.reports.report import write_report

    listener.working("Writing the report: reading changed faces, and explaining some answers")
    write_report(run)
