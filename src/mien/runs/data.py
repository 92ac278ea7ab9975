"""Load the data set of a recipe, a run or a Bundle, split as its recipe says."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from mien.bundle.bundle import Bundle
from mien.data import FaceDataset, load_dataset
from mien.data.load import Paths, as_paths
from mien.errors import BundleError, DataError, RunError
from mien.recipes.explain import explain
from mien.recipes.sections import DataSection
from mien.runs.run import Run


def load_split_data(split_by: DataSection, data: Paths, *, skip_bad: bool = False) -> FaceDataset:
    """Load a data set, split as a recipe's [data] section says.

    Args:
        split_by: [data] section of the recipe.
        data: path of the data set, or paths of several Parquet files.
        skip_bad: whether to leave out images that cannot be used, instead of raising an error.

    Raises:
        DataError: if the data set cannot be read.
    """
    return load_dataset(*as_paths(data), **split_by.model_dump(), skip_bad=skip_bad)


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
    dataset = load_split_data(run.recipe.data, paths, skip_bad=run.record.data.skip_bad)
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
    """Load a data set, split as the recipe of a Bundle says.

    Args:
        bundle: Bundle with the recipe in its metadata.
        data: path of the data set, or paths of several Parquet files.
        skip_bad: whether to leave out images that cannot be used, instead of raising an error.

    Raises:
        BundleError: if this version of mien does not know the recipe's splitting rule.
        DataError: if the data set cannot be read.
    """
    try:
        split_by = DataSection.model_validate(bundle.metadata.recipe.get("data", {}))
    except ValidationError as error:
        raise BundleError(
            f"{bundle.path}: its recipe has a splitting rule that this version of mien does not "
            f"know ({explain(error.errors()[0], form=DataSection)}); update mien"
        ) from None
    return load_split_data(split_by, data, skip_bad=skip_bad)
