"""Evaluate a run or a Bundle; a run keeps its evaluations, which are reused while they are valid.

A run keeps its evaluation on each split of its own data, without test-time augmentation. A kept
evaluation is valid as long as the run's Bundle is made from the same checkpoint. A Bundle outside a
run keeps nothing.
"""

from __future__ import annotations

from pathlib import Path

from mien.bundle.bundle import Bundle, find_bundle
from mien.bundle.scores import NO_TTA
from mien.data import FaceDataset
from mien.data.groups import read_groups
from mien.data.load import Paths
from mien.errors import DataError, RunError
from mien.evaluation import Evaluation, evaluate_bundle
from mien.evaluation.evaluate import KnownImages
from mien.evaluation.tta import check_tta
from mien.io.files import AnyPath, refuse_unwritable
from mien.runs.data import load_as_trained, load_run_data
from mien.runs.membership import Membership, MembershipError
from mien.runs.run import BUNDLE_NAME, INT8_NAME, RECORD_NAME, Run, evaluation_path, refuse_links
from mien.runs.test_log import count_measurements, log_measurement


def evaluate(
    model: AnyPath,
    data: Paths,
    split: str = "val",
    *,
    tta: str = NO_TTA,
    skip_bad: bool = False,
    scorecard: bool = False,
    groups: AnyPath | None = None,
) -> Evaluation:
    """Return the evaluation of a run or a Bundle on one split of a data set, measured now.

    If the Bundle's recipe made the splits, they are made in the same way again, so that train and
    val are the same images. See `measure` for what a run keeps.

    Args:
        model: path of a run directory or a ``.onnx`` file, or name of a shipped Bundle.
        data: path of a data set, or several paths of Parquet files.
        split: name of the split to measure on.
        tta: test-time augmentation: ``none``, ``flip`` or ``ten-crop`` (`mien.evaluation.tta`).
        skip_bad: whether to leave out unusable images, instead of refusing the data set.
        scorecard: whether to also measure the four figures beyond the label
            (`mien.evaluation.scorecard`), for which 57 changed copies of 500 faces are read. They
            need faces with FER+ votes and no test-time augmentation; otherwise the evaluation
            states why there are none.
        groups: path of a CSV with the column ``id`` and columns of groups, such as ``age``, for
            figures by group of people (`mien.data.groups`).

    Raises:
        MienError: if there is no such test-time augmentation.
        BundleError: if there is no such Bundle, or this version of mien does not know its recipe's
            splitting rule.
        DataError: if the data cannot be read or the split has no images.
        RunError: if the split is called test, but the run knows most of its images; or if the run
            is damaged or its directory cannot be written.
    """
    check_tta(tta)  # before the data is read, which takes time
    bundle = Bundle(find_bundle(model))
    dataset = load_as_trained(bundle, data, skip_bad=skip_bad)
    return measure(bundle, dataset, split, tta=tta, scorecard=scorecard, groups=groups)


def measure(
    bundle: Bundle,
    dataset: FaceDataset,
    split: str,
    *,
    tta: str = NO_TTA,
    scorecard: bool = False,
    groups: AnyPath | None = None,
) -> Evaluation:
    """Return the evaluation of a Bundle on one split of a loaded data set, measured now.

    For a Bundle in a run directory, the images that the run knows are counted, a measurement on a
    test split is logged, and an evaluation of its float32 Bundle on the run's own data without
    test-time augmentation is kept. For a Bundle elsewhere nothing is written.

    Args:
        bundle: Bundle that reads the faces.
        dataset: whole data set, so that duplicates of the split's images in train can be counted.
        split: name of the split to measure on.
        tta: test-time augmentation (`mien.evaluation.tta`).
        scorecard: whether to also measure the four figures beyond the label.
        groups: path of a CSV with groups of people, as for `evaluate`.

    Raises:
        MienError: if there is no such test-time augmentation.
        DataError: if the split has no images.
        RunError: if the split is called test, but the run knows most of its images; or if the run
            is damaged or its directory cannot be written.
    """
    folder = run_folder(bundle.path)
    faces = dataset.split(split)
    groups_of = {} if groups is None else read_groups(groups, faces.ids, data=dataset.name)
    membership = Membership.load(folder) if folder else None
    known = membership.known_among(faces.images) if membership else None
    if split == "test" and known:
        _refuse_known(known, bundle, dataset)
    is_headline = bundle.path.name == BUNDLE_NAME and tta == NO_TTA
    same_data = dataset.fingerprint == bundle.metadata.data.fingerprint
    if folder and (split == "test" or (is_headline and same_data)):
        refuse_unwritable(folder)
    if folder and split == "test":
        count_measurements(folder)  # a log that is damaged is reported before anything is measured
    evaluation = evaluate_bundle(bundle, dataset, split, tta=tta, known=known, scorecard=scorecard)
    if groups_of:
        evaluation = evaluation.with_groups(groups_of)
    if folder and split == "test":
        log_measurement(folder, evaluation.protocol, evaluation.accuracy.value)
    if folder and is_headline and evaluation.protocol.same_data:
        evaluation.save(evaluation_path(folder, split))
    return evaluation


def evaluation_of(run: Run, split: str) -> Evaluation:
    """Return a run's evaluation on a split of its own data: the kept one, or measured now.

    Measuring on test is logged; returning a kept evaluation is not.

    Args:
        run: run to evaluate.
        split: name of the split.

    Raises:
        RunError: if the run is damaged; or if none is kept and its data has changed or moved, or
            the run knows most of its test split.
    """
    bundle = Bundle(run.bundle_path)
    if kept := kept_evaluation(run, split, bundle):
        return kept
    elsewhere = f"if the data has moved: mien evaluate {run.path} --data PATH --split {split}"
    try:
        # Checked before measuring: an evaluation on other data would not be the requested one.
        dataset, _ = load_run_data(run, mend=elsewhere)
        return measure(bundle, dataset, split)
    except DataError as error:
        raise RunError(
            f"{run.path}: not measured on {split} yet, and its data cannot be read ({error}); "
            f"{elsewhere}"
        ) from None


def kept_evaluation(run: Run, split: str, bundle: Bundle | None = None) -> Evaluation | None:
    """Return a run's kept evaluation on a split; None if there is none, or it is no longer valid.

    Args:
        run: run that keeps evaluations.
        split: name of the evaluated split.
        bundle: the run's Bundle, whose checkpoint has to be the evaluated one; None if the run has
            no Bundle that can be opened, so that this cannot be checked.

    Raises:
        RunError: if the kept evaluation is damaged.
    """
    path = run.evaluation_path(split)
    if not path.is_file():
        return None
    kept = Evaluation.load(path)
    if bundle is not None and kept.protocol.checkpoint != bundle.metadata.checkpoint:
        return None
    return kept


def run_folder(bundle: Path) -> Path | None:
    """Return the run directory that a Bundle, in float32 or int8, is in; None if it is in none."""
    folder = bundle.parent
    is_run = bundle.name in (BUNDLE_NAME, INT8_NAME) and (folder / RECORD_NAME).is_file()
    if is_run:
        refuse_links(folder)
        return folder
    return None


def _refuse_known(known: KnownImages, bundle: Bundle, dataset: FaceDataset) -> None:
    """Raise a MembershipError if the run knows most images of a test split."""
    either = known.trained_on | known.chosen_by
    if 2 * either.sum() <= len(either):
        return
    raise MembershipError(
        f"{dataset.name}: its test split cannot test {bundle.path.parent}, which knows "
        f"{either.sum():,} of its {len(either):,} images (trained on {known.trained_on.sum():,}, "
        f"chosen by {known.chosen_by.sum():,}); measure on images that the run does not know, or "
        "name this split train or val"
    )
