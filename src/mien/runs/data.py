"""Load the data set of a recipe, a run or a Bundle, as its recipe says.

A run and a Bundle read any data with their own labels and crops: where the recipe leaves the labels
to the files, those of the training count.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.data import FaceDataset, load_dataset
from mien.data.classes import FERPLUS
from mien.data.load import Paths, as_paths, find_source
from mien.errors import BundleError, DataError, RunError
from mien.evaluation.describe import describe_labels
from mien.images.crop import CropSpec
from mien.labels import LabelSet, found_labels, named_labels, parse_label_set
from mien.recipes.explain import explain
from mien.recipes.sections import DataSection
from mien.runs.run import Run


def load_split_data(split_by: DataSection, data: Paths, *, skip_bad: bool = False) -> FaceDataset:
    """Load a data set as a recipe's [data] section says, for a new training.

    Args:
        split_by: [data] section of the recipe.
        data: path of the data set, or paths of several Parquet files.
        skip_bad: whether to leave out images that cannot be used, instead of raising an error.

    Raises:
        DataError: if the data set cannot be read.
    """
    return load_dataset(*as_paths(data), **split_by.load_options(), skip_bad=skip_bad)


def load_as_run(run: Run, data: Paths) -> FaceDataset:
    """Load a data set with the labels, the crops and the splitting rule of a run.

    Args:
        run: run whose recipe says how the data set is split.
        data: path of the data set, or paths of several Parquet files.

    Raises:
        DataError: if the data set cannot be read, or has other labels.
    """
    record = run.record.data
    return _load(
        run.recipe.data,
        data,
        reader=str(run.path),
        names=record.labels,
        crop=record.crop.spec,
        skip_bad=record.skip_bad,
    )


def load_run_data(
    run: Run, data: Paths | None = None, *, mend: str = "name it with --data"
) -> tuple[FaceDataset, tuple[Path, ...]]:
    """Return the data set that a run was trained on, and the paths that it was loaded from.

    Args:
        run: run whose recipe says how the data set is split.
        data: current path or paths of the data set; None for the recorded ones.
        mend: advice in the error about another data set.

    Raises:
        DataError: if the data set cannot be read.
        RunError: if the run was trained on another data set.
    """
    paths = as_paths(data or run.record.data.paths)
    dataset = load_as_run(run, paths)
    if dataset.fingerprint != run.record.data.fingerprint:
        raise RunError(
            f"{paths[0]}: not the images, labels and splits that {run.path} was trained on "
            f"({dataset.fingerprint}, expected {run.record.data.fingerprint}); {mend}"
        )
    return dataset, paths


def find_run_data(run: Run) -> FaceDataset | None:
    """Return the data set that a run was trained on; None if it is gone or has changed."""
    try:
        return load_run_data(run)[0]
    except (DataError, RunError):
        return None


def load_as_trained(bundle: Bundle, data: Paths, *, skip_bad: bool = False) -> FaceDataset:
    """Load a data set with the labels, the crops and the splitting rule of a Bundle.

    Args:
        bundle: Bundle with the recipe in its metadata.
        data: path of the data set, or paths of several Parquet files.
        skip_bad: whether to leave out images that cannot be used, instead of raising an error.

    Raises:
        BundleError: if this version of mien does not know the recipe's splitting rule.
        DataError: if the data set cannot be read, or has other labels.
    """
    try:
        split_by = DataSection.model_validate(bundle.metadata.recipe.get("data", {}))
    except ValidationError as error:
        raise BundleError(
            f"{bundle.path}: its recipe has a splitting rule that this version of mien does not "
            f"know ({explain(error.errors()[0], form=DataSection)}); update mien"
        ) from None
    return _load(
        split_by,
        data,
        reader=_name_of(bundle),
        names=bundle.labels,
        crop=bundle.crop,
        skip_bad=skip_bad,
    )


def _name_of(bundle: Bundle) -> str:
    """Return the name of a shipped Bundle, or the path of another one."""
    name = bundle.metadata.name
    return name if shipped_bundles().get(name) == bundle.path else str(bundle.path)


def _load(
    split_by: DataSection,
    data: Paths,
    *,
    reader: str,
    names: tuple[str, ...],
    crop: CropSpec,
    skip_bad: bool,
) -> FaceDataset:
    """Load a data set for a network with these labels and crops, which is called `reader`."""
    labels = _label_set(split_by, names)
    own = {"labels": labels, "size_px": crop.size_px, "channels": crop.channels}
    options = {**split_by.load_options(), **own}
    try:
        return load_dataset(*as_paths(data), **options, skip_bad=skip_bad)
    except DataError as error:
        _refuse_other_labels(data, labels, reader, error)
        raise


def _label_set(split_by: DataSection, names: tuple[str, ...]) -> LabelSet:
    """Return the set of the names, with the spellings and numbers of the recipe if it has them."""
    stated = parse_label_set(split_by.load_options()["labels"]) or found_labels(names)
    return stated if stated.names == names else named_labels(names)


def _refuse_other_labels(data: Paths, labels: LabelSet, reader: str, error: DataError) -> None:
    """Raise a DataError that says so if a data set that cannot be read has other labels.

    Args:
        data: path of the data set, or paths of several Parquet files.
        labels: labels of the network.
        reader: name of the network.
        error: error that the data set was read with.
    """
    try:
        found = find_source(data)
        words = sorted({word.strip() for word in found.format.find_labels(found.source)} - {""})
    except DataError:  # this layout cannot tell its labels
        return
    other = [word for word in words if labels.find(word) is None]
    by_votes = labels == FERPLUS and all(map(str.isdecimal, other))  # FER-2013's numbers
    if not other or by_votes:
        return
    has, mend = "its labels are", ""
    if len(other) < len(words):
        has = "it has images labelled"
        mend = ", or leave the other images out (mien evaluate --skip-bad)"
    raise DataError(
        f"{as_paths(data)[0]}: {has} {describe_labels(other)}, but {reader} tells "
        f"{describe_labels(labels.names)} apart; give data with these labels{mend}"
    ) from error
