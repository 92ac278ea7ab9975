"""A Bundle and a data set's split to an Evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from mien.data import FaceDataset, load_dataset
from mien.data.load import Paths, as_paths
from mien.data.twins import Mask, Overlap, find_overlap
from mien.emotions import EMOTIONS
from mien.errors import BundleError, DataError
from mien.evaluation import metrics
from mien.evaluation.looks import log_look
from mien.evaluation.protocol import Protocol
from mien.evaluation.result import ClassScore, Evaluation, Score, WithoutOverlap
from mien.evaluation.scorecard import Scorecard, measure_scorecard
from mien.evaluation.seen import Known, Seen, SeenError
from mien.evaluation.views import SINGLE, check_views, predict_views
from mien.recipes.recipe import explain
from mien.recipes.sections import DataSection
from mien.runtime.bundle import Bundle, find_bundle

_Metric = Callable[[metrics.Counts], metrics.Floats]


def evaluate(
    model: str | Path,
    data: Paths,
    split: str = "val",
    *,
    views: str = SINGLE,
    skip_bad: bool = False,
    scorecard: bool = False,
) -> Evaluation:
    """Measure a run or a Bundle on one split of a data set.

    A Bundle whose recipe split the data afresh has the data split that way again, so that train
    and val are what they were. A run's looks at a test split are logged in it (see `measure`).

    Args:
        model: a run directory, a ``.onnx`` file or a shipped Bundle's name.
        data: the path of a data set, or several of Parquet files.
        split: that is measured.
        views: of each image, whose probabilities are averaged (`mien.evaluation.views`).
        skip_bad: leave out images that cannot be used.
        scorecard: also measure the four figures beyond the label (`mien.evaluation.scorecard`),
            for which 57 changed copies of 500 faces are read; they need a single view and faces
            with FER+ votes, and where these are missing the evaluation states the reason.

    Raises:
        MienError: if there are no such views.
        BundleError: if there is no such Bundle, or its recipe splits data in a way not known here.
        DataError: if the data cannot be read or the split has no images.
        RunError: if the split is called test, but the run has seen most of it; or the run is
            damaged, or its directory refuses the look.
    """
    check_views(views)  # before time is spent on reading the data
    bundle = Bundle(find_bundle(model))
    dataset = load_as_trained(bundle, data, skip_bad=skip_bad)
    return measure(bundle, dataset, split, views=views, scorecard=scorecard)


def load_as_trained(bundle: Bundle, data: Paths, *, skip_bad: bool = False) -> FaceDataset:
    """Load a data set, split afresh if a Bundle's recipe splits data so.

    Raises:
        BundleError: if the recipe splits data in a way that is not known here.
        DataError: if the data cannot be read.
    """
    try:
        afresh = DataSection.model_validate(bundle.metadata.recipe.get("data", {}))
    except ValidationError as error:
        raise BundleError(
            f"{bundle.path}: its recipe splits data in a way that this version of mien does not "
            f"know ({explain(error.errors()[0], form=DataSection)}); update mien"
        ) from None
    return load_dataset(*as_paths(data), **afresh.model_dump(), skip_bad=skip_bad)


def measure(
    bundle: Bundle,
    dataset: FaceDataset,
    split: str,
    *,
    views: str = SINGLE,
    scorecard: bool = False,
) -> Evaluation:
    """Measure a Bundle on one split of a loaded data set, and log a look at a test split.

    A Bundle that lies in a run's directory is that run's: what the run has seen is then known, and
    a look is logged there. One that lies elsewhere is measured and no more.

    Args:
        bundle: what reads the faces.
        dataset: all of it, so that twins of the split's images in train can be counted.
        split: that is measured.
        views: of each image.
        scorecard: also measure the four figures beyond the label.

    Raises:
        DataError: if the split has no images.
        RunError: if the split is called test, but the run has seen most of it; or the run is
            damaged, or its directory refuses the look.
    """
    run = run_folder(bundle.path)
    seen = Seen.load(run) if run else None
    evaluation = evaluate_bundle(
        bundle, dataset, split, views=views, seen=seen, scorecard=scorecard
    )
    if run and split == "test":
        log_look(run, evaluation.protocol, evaluation.accuracy.value)
    return evaluation


def evaluate_bundle(
    bundle: Bundle,
    dataset: FaceDataset,
    split: str,
    *,
    views: str = SINGLE,
    seen: Seen | None = None,
    scorecard: bool = False,
) -> Evaluation:
    """Return what a Bundle scores on one split of a loaded data set, and leave no trace.

    Args:
        bundle: what reads the faces.
        dataset: all of it, so that twins of the split's images in train can be counted.
        split: that is measured.
        views: of each image.
        seen: what the Bundle's run has trained on and chosen by, where that is known.
        scorecard: also measure the four figures beyond the label.

    Raises:
        DataError: if the split has no images.
        SeenError: if the split is called test, but most of it was seen.
    """
    faces = dataset.split(split)
    known = seen.known_among(faces.images) if seen else None
    if split == "test" and known:
        _refuse_seen(known, bundle, dataset)
    twins = None
    if split != "train" and "train" in dataset.split_counts():
        twins = find_overlap(faces.images, dataset.train.images)
    probabilities = predict_views(bundle, faces.images, views)
    trained_on = bundle.metadata.data
    same = trained_on.get("fingerprint") == dataset.fingerprint
    protocol = Protocol(
        model=bundle.metadata.name,
        data=dataset.name,
        fingerprint=dataset.fingerprint,
        split=split,
        images=len(faces),
        split_fingerprint=faces.fingerprint,
        split_rule=dataset.split_rule,
        views=views,
        checkpoint=bundle.metadata.checkpoint,
        same_data=same,
        trained_on_split=same and split == "train",
        chosen_on_split=same and split == trained_on.get("chosen_by"),
        skipped=len(dataset.skipped),
        identical_in_train=int(twins.identical.sum()) if twins else None,
        near_in_train=int(twins.near.sum()) if twins else None,
        trained_on=int(known.trained_on.sum()) if known else None,
        chosen_by=int(known.chosen_by.sum()) if known else None,
    )
    overlap = _overlap(len(faces), twins, known)
    evaluation = evaluate_probabilities(faces.labels, probabilities, protocol, overlap)
    if not scorecard:
        return evaluation
    return evaluation.model_copy(update=_scorecard(bundle, faces, probabilities, protocol))


def run_folder(bundle: Path) -> Path | None:
    """Return the run directory whose Bundle this is; None for one that lies elsewhere."""
    folder = bundle.parent
    return folder if bundle.name == "model.onnx" and (folder / "run.json").is_file() else None


def evaluate_probabilities(
    labels: metrics.Labels,
    probabilities: metrics.Floats,
    protocol: Protocol,
    overlap: Mask | None = None,
) -> Evaluation:
    """Compute every score from labels and probabilities.

    Args:
        labels: of the images.
        probabilities: that were read in them.
        protocol: how.
        overlap: which images stand elsewhere too; they are left out of ``without_overlap``.

    Shape: labels int64 (N,), probabilities (N, 7), overlap bool (N,); N at least 1.
    """
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1))
    scores = metrics.class_scores(confusion)
    areas = metrics.class_auc(labels, probabilities)

    def score(of: _Metric) -> Score:
        return _score(of, confusion, protocol.seed)

    low, high = metrics.macro_auc_interval(labels, probabilities, seed=protocol.seed)
    return Evaluation(
        protocol=protocol,
        accuracy=score(metrics.accuracy),
        macro_f1=score(metrics.macro_f1),
        weighted_f1=score(metrics.weighted_f1),
        roc_auc=Score(
            value=_finite(metrics.macro_auc(labels, probabilities)),
            low=_finite(low),
            high=_finite(high),
        ),
        per_class=tuple(
            ClassScore(
                emotion=emotion,
                images=int(scores.support[label]),
                precision=_finite(scores.precision[label]),
                recall=_finite(scores.recall[label]),
                f1=_finite(scores.f1[label]),
                roc_auc=_finite(areas[label]),
            )
            for label, emotion in enumerate(EMOTIONS)
        ),
        confusion=tuple(map(tuple, confusion.tolist())),
        without_overlap=_without(overlap, labels, probabilities, protocol.seed),
        labels=tuple(labels.tolist()),
        probabilities=tuple(map(tuple, probabilities.astype(np.float64).tolist())),
    )


def _refuse_seen(known: Known, bundle: Bundle, dataset: FaceDataset) -> None:
    """Refuse the word test for images most of which a run has trained on or chosen by."""
    seen = known.trained_on | known.chosen_by
    if 2 * seen.sum() <= len(seen):
        return
    raise SeenError(
        f"{dataset.name}: its test split is no test for {bundle.path.parent}, which has seen "
        f"{seen.sum():,} of its {len(seen):,} images (trained on {known.trained_on.sum():,}, chose "
        f"by {known.chosen_by.sum():,}); measure on images that it has not seen, or name this "
        "split train or val, for what it is"
    )


def _overlap(images: int, twins: Overlap | None, known: Known | None) -> Mask:
    """Return which of the images stand elsewhere too. Shape: (N,)."""
    overlap = np.zeros(images, bool)
    if twins:
        overlap |= twins.any
    if known:
        overlap |= known.trained_on
        if not known.chosen_by.all():  # else it is the very split to choose by
            overlap |= known.chosen_by
    return overlap


def _scorecard(
    bundle: Bundle, faces: FaceDataset, probabilities: metrics.Floats, protocol: Protocol
) -> dict[str, Scorecard | str]:
    """Return the four figures, or the reason why there are none, by field of an Evaluation."""
    if protocol.views != SINGLE:
        return {"no_scorecard": "the four figures are measured on a single view of each face"}
    predictions = probabilities.argmax(1)
    try:
        return {
            "scorecard": measure_scorecard(
                bundle, faces, predictions=predictions, seed=protocol.seed
            )
        }
    except DataError as error:
        return {"no_scorecard": str(error)}


def _without(
    overlap: Mask | None, labels: metrics.Labels, probabilities: metrics.Floats, seed: int
) -> WithoutOverlap | None:
    if overlap is None or not overlap.any() or overlap.all():
        return None
    confusion = metrics.confusion_matrix(labels[~overlap], probabilities[~overlap].argmax(1))
    return WithoutOverlap(
        images=int(confusion.sum()),
        accuracy=_score(metrics.accuracy, confusion, seed),
        macro_f1=_score(metrics.macro_f1, confusion, seed),
    )


def _score(of: _Metric, confusion: metrics.Counts, seed: int) -> Score:
    low, high = metrics.bootstrap_interval(confusion, of, seed=seed)
    return Score(value=float(of(confusion)), low=low, high=high)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
