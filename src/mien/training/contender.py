"""Runs as contenders in a comparison: their evaluations, loaded or measured, and their costs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from mien.data import load_dataset
from mien.errors import DataError, RunError
from mien.evaluation import Evaluation
from mien.evaluation.compare import Contender, measure_latency
from mien.evaluation.evaluate import measure
from mien.runtime.bundle import Bundle
from mien.training.run import Run


def load_contenders(paths: Sequence[str | Path], split: str | None = None) -> list[Contender]:
    """Return finished runs as contenders.

    Args:
        paths: of two runs or more.
        split: on which they are compared; by default test where every run has one, else val.

    Raises:
        RunError: if there are too few, one is named twice, has not finished or is damaged, or was
            not measured on ``split`` and its data is no longer where it was.
    """
    if len(paths) < 2:
        raise RunError(f"{len(paths)} run to compare, expected two or more")
    resolved = [Path(path).resolve() for path in paths]
    for path, whole in zip(paths, resolved, strict=True):
        if resolved.count(whole) > 1:
            raise RunError(f"{path}: named twice; a run compared with itself says nothing")
    runs = [Run(path) for path in paths]
    for run in runs:
        if run.record.status != "finished":
            raise RunError(
                f"{run.path}: has not finished ({len(run.history())} of "
                f"{run.recipe.train.epochs} epochs); first: mien train --resume {run.path}"
            )
    if split is None:
        split = "test" if all("test" in run.record.data.split_counts for run in runs) else "val"
    names = _short_names(resolved)
    return [_contender(run, split, name) for run, name in zip(runs, names, strict=True)]


def evaluation_of(run: Run, split: str) -> Evaluation:
    """Return a run's evaluation on a split of its own data; measured and kept where there is none.

    Measuring it on test is a look, which the run logs; reading what was kept is none.

    Raises:
        RunError: if it is damaged, or there is none and the data is no longer what it was, or its
            test split is, for the most part, what the run has seen.
    """
    path, bundle = run.evaluation_path(split), Bundle(run.bundle_path)
    if path.is_file():
        kept = Evaluation.load(path)
        # Older versions did not note the fingerprint; and it may be of weights that were kept then.
        same_weights = kept.protocol.checkpoint == bundle.metadata.checkpoint
        if kept.protocol.split_fingerprint and same_weights:
            return kept
    paths = run.record.data.paths
    elsewhere = f"mien evaluate {run.path} --data PATH --split {split}"
    try:
        dataset = load_dataset(
            *paths, **run.recipe.data.model_dump(), skip_bad=run.record.data.skip_bad
        )
        # Before it is measured: a look at other data is none at what is compared.
        if dataset.fingerprint != run.record.data.fingerprint:
            raise RunError(
                f"{run.path}: not yet measured on {split}, and {paths[0]} no longer holds what it "
                f"was trained on; if the data has moved: {elsewhere}"
            )
        evaluation = measure(bundle, dataset, split)
    except DataError as error:
        raise RunError(
            f"{run.path}: not yet measured on {split}, and cannot be now ({error}); "
            f"if the data has moved: {elsewhere}"
        ) from None
    evaluation.save(path)
    return evaluation


def _contender(run: Run, split: str, name: str) -> Contender:
    evaluation = evaluation_of(run, split)
    bundle = Bundle(run.bundle_path)
    history = run.history()
    if not history:
        raise RunError(f"{run.history_path}: damaged (no epoch in it, but the run has finished)")
    return Contender(
        name=name,
        evaluation=evaluation,
        parameters=run.record.parameters,
        macs=run.record.macs,
        seconds_per_epoch=statistics.median(row["seconds"] for row in history),
        latency_ms=measure_latency(bundle),
        history=history,
        epoch=bundle.metadata.epoch,
        recipe=run.recipe.name,
    )


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Return the folders' names, with their parents' where these are needed to tell them apart."""
    longest = max(len(path.parts) for path in paths)
    for depth in range(1, longest + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return names
