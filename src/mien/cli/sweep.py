"""``mien sweep``: many trainings of one recipe, to see which settings pay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import SkipBadOption, print_table, say_path
from mien.cli.train import Device


def sweep(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="SWEEP_OR_RECIPE",
            help="A sweep's name (sweep-stages) or file, or a recipe's with --grid or --search.",
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="PATH", help="The data set, as for mien train."),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=V,V", help="Try every value: model.stages=2,3,4,5. Repeatable."),
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=RANGE", help="Search a range: train.lr=1e-4..1e-2:log. Repeatable."
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="How many trials a search has. Default: 20.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe for all trials."),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The directory to make. Default: runs/NAME."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many trials train at once.")] = 1,
    device: Annotated[Device, typer.Option(help="Where the trials train.")] = Device.auto,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            help="Stop after M minutes. Running trials then write and measure what they have, "
            "which takes longer; --resume goes on.",
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with a sweep that was stopped.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: begin failed trials anew.")
    ] = False,
    skip_bad: SkipBadOption = False,
) -> None:
    """Train a recipe with many settings and choose by the validation accuracy.

    Each trial is a run of its own; one that fails is recorded and the others go on. Ctrl-C stops
    after the current steps; --resume goes on.
    """
    fixed = name or grid or search or trials or settings or path or skip_bad
    if resume is not None and (fixed or device is not Device.auto):
        raise typer.BadParameter(
            "goes with --data, --jobs, --minutes and --retry-failed only: the rest stands in the "
            "sweep",
            param_hint="--resume",
        )
    if resume is None:
        if retry_failed:
            raise typer.BadParameter("goes with --resume", param_hint="--retry-failed")
        if name is None:
            raise typer.BadParameter("name a sweep or a recipe", param_hint="SWEEP_OR_RECIPE")
        if not data:
            raise typer.BadParameter("name a data set: --data PATH", param_hint="--data")

    from mien.cli.sweep_progress import SweepProgress
    from mien.errors import Interrupted
    from mien.runs.run import free_name
    from mien.sweeps.folder import SweepFolder
    from mien.sweeps.results import results_table, write_results
    from mien.sweeps.runner import resume_sweep, start_sweep
    from mien.sweeps.spec import load_sweep

    watcher = SweepProgress()
    try:
        if resume is not None:
            where = resume
            folder = resume_sweep(
                resume,
                data,
                jobs=jobs,
                minutes=minutes,
                retry_failed=retry_failed,
                watcher=watcher,
            )
        else:
            assert name is not None
            assert data is not None
            chosen = load_sweep(
                name, grid=grid or (), search=search or (), overrides=settings or (), trials=trials
            )
            where = path or free_name(Path("runs"), chosen.name)
            folder = start_sweep(
                chosen,
                data,
                where,
                jobs=jobs,
                device=device.value,
                minutes=minutes,
                skip_bad=skip_bad,
                watcher=watcher,
            )
    except Interrupted:
        write_results(SweepFolder(where))
        raise
    page = write_results(folder)
    print_table(results_table(folder))
    say_path("page", page)
    say_path("figures", page.with_suffix(".csv"))
    say_path("trials", folder.path / "trials")
    if any(trial.status == "failed" for trial in folder.trials()):
        raise typer.Exit(1)
