"""The evaluation of a run or a Bundle: taken as it was kept, or measured and kept, by one rule.

A run keeps its evaluation on each split of its own data, in a single view. What was kept holds for
as long as the run's Bundle is of the same checkpoint. A Bundle outside a run keeps nothing.
"""

from __future__ import annotations

from pathlib import Path

from mien.bundle.bundle import Bundle, find_bundle
from mien.data import FaceDataset
from mien.data.load import Paths
from mien.errors import DataError, RunError
from mien.evaluation import Evaluation, evaluate_bundle
from mien.evaluation.evaluate import KnownImages
from mien.evaluation.tta import SINGLE, check_views
from mien.runs.data import load_as_trained, load_run_data
from mien.runs.membership import Membership, MembershipError
from mien.runs.run import Run, evaluation_path
from mien.runs.test_log import log_measurement


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
    and val are what they were. See `measure` for what a run keeps of it.

    Args:
        model: a run directory, a ``.onnx`` file or a shipped Bundle's name.
        data: path of a data set, or several of Parquet files.
        split: name of the split to measure on.
        views: views of each image whose probabilities are averaged (`mien.evaluation.tta`).
        skip_bad: leave out images that cannot be used.
        scorecard: also measure the four figures beyond the label (`mien.evaluation.scorecard`),
            for which 57 changed copies of 500 faces are read; they need a single view and faces
            with FER+ votes, and where these are missing the evaluation states the reason.

    Raises:
        MienError: if there are no such views.
        BundleError: if there is no such Bundle, or its recipe splits data in a way not known here.
        DataError: if the data cannot be read or the split has no images.
        RunError: if the split is called test, but the run knows most of it; or the run is damaged,
            or its directory cannot be written.
    """
    check_views(views)  # before time is spent on reading the data
    bundle = Bundle(find_bundle(model))
    dataset = load_as_trained(bundle, data, skip_bad=skip_bad)
    return measure(bundle, dataset, split, views=views, scorecard=scorecard)


def measure(
    bundle: Bundle,
    dataset: FaceDataset,
    split: str,
    *,
    views: str = SINGLE,
    scorecard: bool = False,
) -> Evaluation:
    """Measure a Bundle on one split of a loaded data set.

    A Bundle that lies in a run's directory is that run's: which images the run knows is then taken
    into account, a measurement on a test split is logged, and an evaluation on the run's own data
    in a single view is kept. A Bundle that lies elsewhere is measured and no more.

    Args:
        bundle: Bundle that reads the faces.
        dataset: whole data set, so that duplicates of the split's images in train can be counted.
        split: name of the split to measure on.
        views: views of each image whose probabilities are averaged.
        scorecard: also measure the four figures beyond the label.

    Raises:
        DataError: if the split has no images.
        RunError: if the split is called test, but the run knows most of it; or the run is damaged,
            or its directory cannot be written.
    """
    folder = run_folder(bundle.path)
    membership = Membership.load(folder) if folder else None
    known = membership.known_among(dataset.split(split).images) if membership else None
    if split == "test" and known:
        _refuse_known(known, bundle, dataset)
    evaluation = evaluate_bundle(
        bundle, dataset, split, views=views, known=known, scorecard=scorecard
    )
    if folder and split == "test":
        log_measurement(folder, evaluation.protocol, evaluation.accuracy.value)
    if folder and views == SINGLE and evaluation.protocol.same_data:
        evaluation.save(evaluation_path(folder, split))
    return evaluation


def evaluation_of(run: Run, split: str) -> Evaluation:
    """Return a run's evaluation on a split of its own data, measured where none is kept.

    Measuring on test is logged; reading what was kept is not.

    Raises:
        RunError: if the run is damaged, or nothing was kept and its data is no longer what it was,
            or the run knows most of its test split.
    """
    bundle = Bundle(run.bundle_path)
    if kept := kept_evaluation(run, split, bundle):
        return kept
    elsewhere = f"if the data has moved: mien evaluate {run.path} --data PATH --split {split}"
    try:
        # Before it is measured: a measurement on other data is none on what was asked for.
        dataset, _ = load_run_data(run, mend=elsewhere)
        return measure(bundle, dataset, split)
    except DataError as error:
        raise RunError(
            f"{run.path}: not yet measured on {split}, and cannot be now ({error}); {elsewhere}"
        ) from None


def kept_evaluation(run: Run, split: str, bundle: Bundle | None = None) -> Evaluation | None:
    """Return the evaluation that a run keeps of a split; None where it keeps none that holds.

    Args:
        run: the run.
        split: name of the evaluated split.
        bundle: the run's Bundle, whose checkpoint has to be the evaluated one; None where the run
            has none that can be opened, and what was kept is all there is.

    Raises:
        RunError: if what was kept is damaged.
    """
    path = run.evaluation_path(split)
    if not path.is_file():
        return None
    kept = Evaluation.load(path)
    if bundle is not None and kept.protocol.checkpoint != bundle.metadata.checkpoint:
        return None
    return kept


def run_folder(bundle: Path) -> Path | None:
    """Return the run directory whose Bundle this is; None for one that lies elsewhere."""
    folder = bundle.parent
    return folder if bundle.name == "model.onnx" and (folder / "run.json").is_file() else None


def _refuse_known(known: KnownImages, bundle: Bundle, dataset: FaceDataset) -> None:
    """Refuse the word test for images most of which a run has trained on or was chosen by."""
    either = known.trained_on | known.chosen_by
    if 2 * either.sum() <= len(either):
        return
    raise MembershipError(
        f"{dataset.name}: its test split is no test for {bundle.path.parent}, which has seen "
        f"{either.sum():,} of its {len(either):,} images (trained on {known.trained_on.sum():,}, "
        f"chose by {known.chosen_by.sum():,}); measure on images that it has not seen, or name "
        "this split train or val, for what it is"
    )
