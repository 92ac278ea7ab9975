"""``mien sweep``: train one recipe with many settings, to see which of them help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import print_table, say_path
from mien.cli.options import Device, DeviceOption, SettingsOption, SkipBadOption
from mien.errors import Interrupted

if TYPE_CHECKING:
    from mien.sweeps.folder import SweepFolder
    from mien.sweeps.runner import SweepListener


def sweep(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="SWEEP_OR_RECIPE",
            help="Name or TOML file of a sweep, or of a recipe together with --grid or --search. "
            "mien recipes lists all names.",
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="PATH", help="Data set, as for mien train."),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=V,V",
            help="Try every value of a setting, for example model.stages=2,3,4,5. Repeatable.",
        ),
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=RANGE",
            help="Draw a setting from a range, for example train.lr=1e-4..1e-2:log. Repeatable.",
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Number of trials of a search. Default: 20.")
    ] = None,
    settings: SettingsOption = None,
    path: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Directory to make. Default: runs/NAME."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of trials that train at once.")] = 1,
    device: DeviceOption = Device.auto,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            help="Time budget, in minutes. When it ends, the running trials stop, write and "
            "measure their results, which takes longer; --resume continues.",
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Continue a stopped sweep.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: restart the failed trials.")
    ] = False,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Share the trials with other processes and machines that start the same sweep: "
            "journal:PATH of a file that all of them reach, or the address of a database, such as "
            "postgresql://user@host/name.",
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With --storage: name of the study. Default: NAME."),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="With --storage: stop trials early that fall behind (successive halving).",
        ),
    ] = False,
    skip_bad: SkipBadOption = False,
    with_test: Annotated[
        bool,
        typer.Option("--with-test", help="Also measure every trial on test; each look is logged."),
    ] = False,
) -> None:
    """Train a recipe with many settings, and choose by the validation accuracy.

    Each trial is a run. A trial that fails is recorded, and the others continue. Ctrl-C stops after
    the current steps; --resume continues. With --storage, trials of a process that is killed are
    trained by the others; `mien sweep status --storage ADDRESS` shows how far they are.
    """
    if name == "status":
        if not storage:
            raise typer.BadParameter("needs --storage ADDRESS", param_hint="status")
        _say_status(storage, study)
        return
    if storage is None and (prune or study):
        raise typer.BadParameter("needs --storage ADDRESS", param_hint="--prune, --study")
    if resume is not None:
        if any(
            (
                name,
                grid,
                search,
                trials,
                settings,
                path,
                skip_bad,
                with_test,
                storage,
                device is not Device.auto,
            )
        ):
            raise typer.BadParameter(
                "can be combined with --data, --jobs, --minutes and --retry-failed only; the "
                "sweep keeps its "
                "other settings",
                param_hint="--resume",
            )
        from mien.sweeps.runner import resume_sweep

        _with_results(
            resume,
            lambda listener: resume_sweep(
                resume,
                data,
                jobs=jobs,
                minutes=minutes,
                retry_failed=retry_failed,
                listener=listener,
            ),
        )
        return
    if name is None:
        raise typer.BadParameter("name a sweep or a recipe", param_hint="SWEEP_OR_RECIPE")
    if not data:
        raise typer.BadParameter("name a data set: --data PATH", param_hint="--data")
    if retry_failed:
        raise typer.BadParameter("needs --resume", param_hint="--retry-failed")
    from mien.data.split import SPLITS
    from mien.io.files import free_path
    from mien.sweeps.load import load_sweep
    from mien.sweeps.runner import start_sweep
    from mien.sweeps.source import Shared

    chosen = load_sweep(
        name, grid=grid or (), search=search or (), overrides=settings or (), trials=trials
    )
    out_path = path or free_path(Path("runs") / chosen.name)
    _with_results(
        out_path,
        lambda listener: start_sweep(
            chosen,
            data,
            out_path,
            jobs=jobs,
            device=device.value,
            minutes=minutes,
            splits=SPLITS if with_test else ("train", "val"),
            skip_bad=skip_bad,
            shared=None if storage is None else Shared(storage, study or "", prune=prune),
            listener=listener,
        ),
    )


def _say_status(storage: str, name: str | None) -> None:
    """Print the studies of a storage, or the trials of one of them."""
    from mien.sweeps.status import status_table

    print_table(status_table(storage, name))


def _with_results(path: Path, run: Callable[[SweepListener], SweepFolder]) -> None:
    """Run a sweep, write its results even if it was stopped, and print them.

    Args:
        path: path of the sweep directory.
        run: function that runs the sweep.
    """
    from mien.cli.sweep_progress import SweepProgress
    from mien.sweeps.folder import SweepFolder
    from mien.sweeps.results import results_table, write_results

    try:
        folder = run(SweepProgress())
    except Interrupted:
        write_results(SweepFolder(path))
        raise
    page = write_results(folder)
    print_table(results_table(folder))
    say_path("page", page)
    say_path("figures", page.with_suffix(".csv"))
    say_path("trials", folder.path / "trials")
    if any(trial.status == "failed" for trial in folder.trials()):
        raise typer.Exit(1)
