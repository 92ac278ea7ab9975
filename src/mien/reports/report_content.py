"""What a report is made of: what a run keeps, and what has to be measured for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mien.bundle.bundle import Bundle, find_bundle
from mien.data import FaceDataset
from mien.data.load import Paths
from mien.errors import BundleError, MienError
from mien.evaluation import Evaluation
from mien.evaluation.robustness import Robustness, measure_robustness
from mien.explain.overview import Overview, explain_split
from mien.runs.data import find_run_data, load_as_trained, load_split_data
from mien.runs.evaluations import kept_evaluation, measure
from mien.runs.run import Run

MOST_CONFUSED: Final = 5  # pairs of emotions that are shown


@dataclass(frozen=True)
class Content:
    """What a report is made of; None for what could not be had, and ``missing`` says why.

    Args:
        name: of the network.
        data: the data set's name.
        split: that was measured.
        run: that is reported on; None for a Bundle alone.
        bundle: that read the faces.
        dataset: whose faces are shown.
        evaluation: of the Bundle on the split.
        robustness: of the Bundle on faces of the split.
        explanation: where it looks on the split.
        history: a row an epoch.
        missing: a sentence for each thing that is not there, and how to get it.
    """

    name: str
    data: str
    split: str
    run: Run | None
    bundle: Bundle | None
    dataset: FaceDataset | None
    evaluation: Evaluation | None
    robustness: Robustness | None
    explanation: Overview | None
    history: list[dict[str, float]]
    missing: tuple[str, ...]


def gather(model: Run | str | Path, *, data: Paths | None, split: str) -> Content:
    """Measure what a report needs and has not been measured before (see `write_report`)."""
    run = model if isinstance(model, Run) else _find_run(model)
    missing: list[str] = []
    bundle = _find_bundle(run, missing) if run else Bundle(find_bundle(_as_name(model)))
    dataset = _find_data(run, bundle, data, missing)
    evaluation = _evaluate(run, bundle, dataset, split, missing)
    robustness = explanation = None
    if bundle and dataset and evaluation:
        images, labels = dataset.split(split).images, np.array(evaluation.labels)
        predictions = np.array(evaluation.probabilities).argmax(1)
        robustness = measure_robustness(bundle, images, labels)
        source = run.path if run else bundle.path
        explanation = explain_split(source, bundle, images, labels, predictions)
    history = run.history() if run else []
    if run and not history:
        missing.append("No epoch has ended yet, so there is no history of the training.")
    if holes := [row["epoch"] for row in history if not all(map(math.isfinite, row.values()))]:
        missing.append(
            f"The history has values that are no numbers, in {len(holes)} of {len(history)} epochs "
            f"(the first is epoch {holes[0]:.0f}): the training diverged, or its file was changed. "
            "The curves leave them out."
        )
    data_name = dataset.name if dataset else run.record.data.name if run else ""
    return Content(
        name=run.recipe.name if run else bundle.metadata.name if bundle else "",
        data=data_name,
        split=split,
        run=run,
        bundle=bundle,
        dataset=dataset,
        evaluation=evaluation,
        robustness=robustness,
        explanation=explanation,
        history=history,
        missing=tuple(missing),
    )


def _find_run(model: str | Path) -> Run | None:
    """Return the run at a path; None if it is not a directory, but a Bundle's name or file."""
    return Run(model) if Path(model).is_dir() else None


def _as_name(model: Run | str | Path) -> str | Path:
    return model.path if isinstance(model, Run) else model


def _find_bundle(run: Run, missing: list[str]) -> Bundle | None:
    try:
        return Bundle(find_bundle(run.path))
    except BundleError:
        missing.append(
            f"The run has no Bundle that can be opened, so nothing was measured with it; "
            f"mien export {run.path} writes it."
        )
        return None


def _find_data(
    run: Run | None, bundle: Bundle | None, data: Paths | None, missing: list[str]
) -> FaceDataset | None:
    """Load the data that was named, or else the run's own from where it was."""
    if run is None:
        assert bundle is not None
        if data is None:
            raise MienError(
                f"{bundle.metadata.name}: a Bundle does not say where its data is; name some: "
                "--data PATH"
            )
        return load_as_trained(bundle, data)
    if data is not None:
        return load_split_data(run.recipe.data, data, skip_bad=run.record.data.skip_bad)
    dataset = find_run_data(run)
    if dataset is None:
        missing.append(
            "The data set is no longer where it was, or has changed, so no faces are shown and "
            "nothing new was measured; say where it is: --data PATH."
        )
    return dataset


def _evaluate(
    run: Run | None,
    bundle: Bundle | None,
    dataset: FaceDataset | None,
    split: str,
    missing: list[str],
) -> Evaluation | None:
    """Return the evaluation that a run keeps, or measure it now."""
    own = run and (dataset is None or dataset.fingerprint == run.record.data.fingerprint)
    if run and own and (kept := kept_evaluation(run, split, bundle)):
        return kept
    if bundle is None or dataset is None:
        missing.append(
            f"There is no evaluation on {split}; mien evaluate RUN --data PATH makes it."
        )
        return None
    return measure(bundle, dataset, split)
