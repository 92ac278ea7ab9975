"""The content of a report: the results that a run keeps, and those measured for the report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.bundle.bundle import Bundle, find_bundle
from mien.data import FaceDataset
from mien.data.groups import read_groups
from mien.data.load import Paths
from mien.errors import BundleError, MienError
from mien.evaluation import Evaluation
from mien.evaluation.robustness import Robustness, measure_robustness
from mien.explain.overview import Overview, explain_split
from mien.io.files import expand_user
from mien.runs.data import find_run_data, load_as_run, load_as_trained
from mien.runs.evaluations import kept_evaluation, measure
from mien.runs.run import Run


@dataclass(frozen=True)
class Content:
    """The content of a report; a field is None if it is missing, and ``missing`` says why.

    Args:
        name: name of the network.
        data: name of the data set.
        split: name of the split.
        run: run that the report is about; None for a Bundle outside a run.
        bundle: Bundle that read the faces.
        dataset: data set whose faces are shown.
        evaluation: evaluation of the Bundle on the split.
        robustness: accuracy of the Bundle on changed faces of the split.
        explanation: explanation of the Bundle's predictions on the split.
        history: history of the training, one row per epoch; empty for a Bundle outside a run.
        missing: one sentence for each missing part, which says how to get it.
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

    @property
    def drawn(self) -> bool:
        """Whether mien drew the faces, so that no figure says anything about people."""
        if self.dataset is not None:
            return self.dataset.drawn
        return self.run is not None and self.run.record.data.drawn


def gather(
    model: Run | str | Path, *, data: Paths | None, split: str, groups: str | Path | None = None
) -> Content:
    """Return the content of a report, and measure everything that has not been measured before.

    Args:
        model: run, run directory, ``.onnx`` file or name of a shipped Bundle.
        data: path of the data set, or several of Parquet files; None for the run's own data.
        split: name of the split.
        groups: path of a CSV with groups of people, as for `mien.evaluate`.

    Raises:
        MienError: if a Bundle comes without data, or the split has no images.
        RunError: if the run is damaged.
        BundleError: if there is no such Bundle.
        DataError: if the named data cannot be read.
    """
    missing: list[str] = []
    run: Run | None = None
    bundle: Bundle | None
    dataset: FaceDataset | None
    if isinstance(model, Run) or expand_user(model).is_dir():
        run = model if isinstance(model, Run) else Run(model)
        bundle = _open_bundle(run, missing)
        dataset = _load_data(run, data, missing)
        name, source = run.recipe.name, run.path
    else:
        bundle = Bundle(find_bundle(model))
        name, source = bundle.metadata.name, bundle.path
        if data is None:
            raise MienError(
                f"{name}: a Bundle does not say where its data is; name it: --data PATH"
            )
        dataset = load_as_trained(bundle, data)
    evaluation = _evaluate(run, bundle, dataset, split, missing)
    if groups is not None and evaluation is not None:
        if dataset is None:
            raise MienError(f"{groups}: groups need the data set; name it: --data PATH")
        ids = dataset.split(split).ids
        evaluation = evaluation.with_groups(read_groups(groups, ids, data=dataset.name))
    robustness = explanation = None
    if bundle and dataset and evaluation:
        images, labels = dataset.split(split).images, np.array(evaluation.labels)
        predictions = np.array(evaluation.probabilities).argmax(1)
        robustness = measure_robustness(bundle, images, labels)
        explanation = explain_split(source, bundle, images, labels, predictions)
    return Content(
        name=name,
        data=dataset.name if dataset else run.record.data.name if run else "",
        split=split,
        run=run,
        bundle=bundle,
        dataset=dataset,
        evaluation=evaluation,
        robustness=robustness,
        explanation=explanation,
        history=_read_history(run, missing) if run else [],
        missing=tuple(missing),
    )


def _open_bundle(run: Run, missing: list[str]) -> Bundle | None:
    try:
        return Bundle(find_bundle(run.path))
    except BundleError:
        missing.append(
            "The run has no Bundle that can be opened, so nothing was measured with it; "
            f"mien export {run.path} writes it."
        )
        return None


def _load_data(run: Run, data: Paths | None, missing: list[str]) -> FaceDataset | None:
    """Return the named data; if none is named, the run's own, None if it is gone."""
    if data is not None:
        return load_as_run(run, data)
    dataset = find_run_data(run)
    if dataset is None:
        missing.append(
            "The data set is no longer where it was, or has changed, so no faces are shown and "
            "nothing new was measured; name it: --data PATH."
        )
    return dataset


def _evaluate(
    run: Run | None,
    bundle: Bundle | None,
    dataset: FaceDataset | None,
    split: str,
    missing: list[str],
) -> Evaluation | None:
    """Return the evaluation that the run keeps if it is of this data; else measure it."""
    own = run and (dataset is None or dataset.fingerprint == run.record.data.fingerprint)
    if run and own and (kept := kept_evaluation(run, split, bundle)):
        return kept
    if bundle is None or dataset is None:
        missing.append(
            f"There is no evaluation on {split}; mien evaluate RUN --data PATH makes it."
        )
        return None
    return measure(bundle, dataset, split)


def _read_history(run: Run, missing: list[str]) -> list[dict[str, float]]:
    history = run.history()
    if not history:
        missing.append("No epoch has ended yet, so there is no history of the training.")
    if holes := [row["epoch"] for row in history if not all(map(math.isfinite, row.values()))]:
        missing.append(
            f"The history has values that are not numbers, in {len(holes)} of {len(history)} "
            f"epochs (the first is epoch {holes[0]:.0f}): the training diverged, or its file was "
            "changed. The curves leave them out."
        )
    return history
