"""Load runs and Bundles for a comparison (`mien.evaluation.significance`)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mien.bundle.bundle import SUFFIX, Bundle, find_bundle, shipped_bundles
from mien.errors import RunError
from mien.evaluation.describe import describe_labels
from mien.evaluation.significance import ComparedRun, Comparison, compare, measure_latency
from mien.io.files import expand_user
from mien.runs.data import load_run_data
from mien.runs.evaluations import evaluation_of, measure
from mien.runs.run import Run


def compare_runs(paths: Sequence[str | Path], split: str = "val") -> Comparison:
    """Return the scores of runs and Bundles with their intervals, and a test for each pair.

    Args:
        paths: paths of two or more run directories; all but one may be Bundles
            (`load_compared_runs`).
        split: name of the split to compare on. A look at a test split is logged in each run.

    Raises:
        RunError: if the runs cannot be compared (see `load_compared_runs`).
    """
    return compare(load_compared_runs(paths, split))


def load_compared_runs(paths: Sequence[str | Path], split: str = "val") -> list[ComparedRun]:
    """Return finished runs and Bundles with their evaluations and costs, ready to be compared.

    Args:
        paths: paths of two or more run directories; all but one may be paths of Bundles or names
            of shipped ones, which are measured on the data of the first run.
        split: name of the split to compare on. A look at a test split is logged in each run.

    Raises:
        RunError: if there are fewer than two, one is named twice, none is a run, a run has not
            finished or is damaged, no two have the same labels, a Bundle reads other crops than
            the run, or a run's data is needed and has changed or moved.
    """
    if len(paths) < 2:
        raise RunError(f"{len(paths)} run to compare, expected at least two")
    resolved = [expand_user(path).resolve() for path in paths]
    for path, whole in zip(paths, resolved, strict=True):
        if resolved.count(whole) > 1:
            raise RunError(f"{path}: named twice; name it once")
    members = [Bundle(find_bundle(path)) if _is_bundle(path) else Run(path) for path in paths]
    runs = [member for member in members if isinstance(member, Run)]
    for run in runs:
        if run.record.status != "finished":
            raise RunError(
                f"{run.path}: has not finished ({len(run.history())} of "
                f"{run.recipe.train.epochs} epochs); finish it: mien train --resume {run.path}"
            )
    if not runs:
        raise RunError(
            "no run is named, expected at least one: Bundles are measured on the data of a run; "
            "to measure one alone: mien evaluate BUNDLE --data PATH"
        )
    names = _short_names(resolved)
    _refuse_other_labels(dict(zip(names, members, strict=True)))
    return [
        _compared(member, split, name)
        if isinstance(member, Run)
        else _measured(member, runs[0], split, name)
        for member, name in zip(members, names, strict=True)
    ]


def _is_bundle(path: str | Path) -> bool:
    """Whether a name is that of a Bundle; a folder of the same name as a shipped one is a run."""
    expanded = expand_user(path)
    if expanded.is_dir():
        return False
    return expanded.suffix.lower() == SUFFIX or str(path) in shipped_bundles()


def _measured(bundle: Bundle, run: Run, split: str, name: str) -> ComparedRun:
    """Return a Bundle measured on the data of a run."""
    crop = Bundle(run.bundle_path).crop
    if bundle.crop != crop:
        raise RunError(
            f"{name}: reads face crops of {bundle.crop}, but {run.path} was trained on "
            f"{crop}, so they cannot be measured on the same images; "
            f"mien evaluate {name} --data PATH --split {split} measures it alone"
        )
    metadata = bundle.metadata
    return ComparedRun(
        name=name,
        evaluation=measure(bundle, load_run_data(run)[0], split),
        crop=bundle.crop,
        parameters=metadata.parameters,
        macs=metadata.macs,
        seconds_per_epoch=None,
        latency_ms=measure_latency(bundle),
        history=(),
        epoch=metadata.epoch,
        recipe=metadata.name,
        settings=_settings(metadata.recipe),
        drawn=run.record.data.drawn,
    )


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
        settings=_settings(run.recipe.as_dict()),
        drawn=run.record.data.drawn,
    )


def _settings(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a recipe by section and key, such as ``train.lr``."""
    return {
        f"{section}.{key}": value
        for section, values in recipe.items()
        if isinstance(values, dict)
        for key, value in values.items()
    }


def _refuse_other_labels(members: dict[str, Run | Bundle]) -> None:
    """Raise a RunError if no two of the runs and Bundles have the same labels."""
    labels = {
        name: member.record.data.labels if isinstance(member, Run) else member.labels
        for name, member in members.items()
    }
    if len(set(labels.values())) == len(labels):
        each = "; ".join(f"{name}: {describe_labels(of)}" for name, of in labels.items())
        raise RunError(f"these runs cannot be compared, because their labels differ ({each})")


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Return the names of folders, with those of their parents if names are equal."""
    longest = max(len(path.parts) for path in paths)
    for depth in range(1, longest + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return names
