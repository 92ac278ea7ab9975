"""Load runs for a comparison (`mien.evaluation.significance`)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mien.bundle.bundle import Bundle
from mien.errors import RunError
from mien.evaluation.describe import describe_labels
from mien.evaluation.significance import ComparedRun, Comparison, compare, measure_latency
from mien.io.files import expand_user
from mien.runs.evaluations import evaluation_of
from mien.runs.run import Run


def compare_runs(paths: Sequence[str | Path], split: str = "val") -> Comparison:
    """Return the scores of runs with their intervals, and a test for each pair.

    Args:
        paths: paths of two or more run directories.
        split: name of the split to compare on. A look at a test split is logged in each run.

    Raises:
        RunError: if the runs cannot be compared (see `load_compared_runs`).
    """
    return compare(load_compared_runs(paths, split))


def load_compared_runs(paths: Sequence[str | Path], split: str = "val") -> list[ComparedRun]:
    """Return finished runs with their evaluations and costs, ready to be compared.

    Args:
        paths: paths of two or more run directories.
        split: name of the split to compare on. A look at a test split is logged in each run.

    Raises:
        RunError: if there are fewer than two runs, a run is named twice, has not finished or is
            damaged, no two have the same labels, or a run was not measured on the split and its
            data has changed or moved.
    """
    if len(paths) < 2:
        raise RunError(f"{len(paths)} run to compare, expected at least two")
    resolved = [expand_user(path).resolve() for path in paths]
    for path, whole in zip(paths, resolved, strict=True):
        if resolved.count(whole) > 1:
            raise RunError(f"{path}: named twice; name it once")
    runs = [Run(path) for path in paths]
    for run in runs:
        if run.record.status != "finished":
            raise RunError(
                f"{run.path}: has not finished ({len(run.history())} of "
                f"{run.recipe.train.epochs} epochs); finish it: mien train --resume {run.path}"
            )
    names = _short_names(resolved)
    _refuse_other_labels(dict(zip(names, runs, strict=True)))
    return [_compared(run, split, name) for run, name in zip(runs, names, strict=True)]


def _compared(run: Run, split: str, name: str) -> ComparedRun:
    evaluation = evaluation_of(run, split)
    bundle = Bundle(run.bundle_path)
    history = run.history()
    if not history:
        raise RunError(
            f"{run.history_path}: damaged (it has no epoch, but the run has finished); "
            "copy the run back from a backup, or train again"
        )
    return ComparedRun(
        name=name,
        evaluation=evaluation,
        crop=bundle.crop,
        parameters=run.record.parameters,
        macs=run.record.macs,
        seconds_per_epoch=statistics.median(row["seconds"] for row in history),
        latency_ms=measure_latency(bundle),
        history=history,
        epoch=bundle.metadata.epoch,
        recipe=run.recipe.name,
        settings=_settings(run),
        drawn=run.record.data.drawn,
    )


def _settings(run: Run) -> dict[str, Any]:
    """Return the settings of a run's recipe by section and key, such as ``train.lr``."""
    return {
        f"{section}.{key}": value
        for section, values in run.recipe.as_dict().items()
        if isinstance(values, dict)
        for key, value in values.items()
    }


def _refuse_other_labels(runs: dict[str, Run]) -> None:
    """Raise a RunError if no two of the runs have the same labels."""
    if len({run.record.data.labels for run in runs.values()}) == len(runs):
        each = "; ".join(
            f"{name}: {describe_labels(run.record.data.labels)}" for name, run in runs.items()
        )
        raise RunError(f"these runs cannot be compared, because their labels differ ({each})")


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Return the names of folders, with those of their parents if names are equal."""
    longest = max(len(path.parts) for path in paths)
    for depth in range(1, longest + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return names
