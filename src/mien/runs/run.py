"""A run: one directory that contains everything about one training.

run.json             the data, the machine, the network's size and the status of the training
recipe.toml          the recipe as it was run, with its overrides
history.csv          one row per epoch
checkpoints/         last.ckpt to resume from, best.ckpt with the best weights
model.safetensors    the kept weights
model.onnx           the Bundle
model-int8.onnx      the int8 Bundle, if it was exported
face_gate.json       the face gate, if the recipe has one
calibration.json     the calibration, if images were kept back from the training for it
evaluations/         one evaluation per split
membership.npz       digests of the images that the run trains on and is chosen by
test_log.csv         one row per measurement on a test split
skipped.txt          one line per image that was left out, if there are any
report.html          the report
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import tomli_w

from mien.errors import RunError
from mien.io.files import (
    AnyPath,
    atomic_folder,
    expand_user,
    locked_folder,
    refuse_unwritable,
    write_text,
)
from mien.io.records import read_record, write_record
from mien.recipes import Recipe
from mien.recipes.recipe import parse_recipe
from mien.recipes.toml import read_toml_file
from mien.runs.record import RunRecord

RECORD_NAME = "run.json"
_RECIPE = "recipe.toml"
_MEND = "copy the run back from a backup, or train again"
# Names of temporary files, as `mien.io.files.atomic_file` makes them.
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}(\.\w+)?")

HISTORY_COLUMNS: Final = (
    "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds",
    "images_per_second",
)  # fmt: skip

# Places that are written in, so that a link in a run from elsewhere would change other files.
_WRITTEN_IN: Final = ("checkpoints", "evaluations", "tensorboard", ".lock", ".test_log.lock")

BUNDLE_NAME: Final = "model.onnx"
INT8_NAME: Final = "model-int8.onnx"


class Run:
    """A run directory, opened.

    Args:
        path: path of the directory.

    Raises:
        RunError: if the directory is missing, is not a run or is damaged.
    """

    def __init__(self, path: AnyPath) -> None:
        self.path = expand_user(path)
        if not os.path.isdir(self.path):  # noqa: PTH112 - Path raises errors for odd names
            raise RunError(
                f"{self.path}: no such run directory; make one with mien train, or measure a "
                "shipped Bundle with mien evaluate"
            )
        refuse_links(self.path)
        if not (self.path / RECORD_NAME).is_file():
            raise RunError(f"{self.path}: not a run directory, it contains no {RECORD_NAME}")
        self.record = read_record(RunRecord, self.path / RECORD_NAME, mend=_MEND)
        self.recipe = _read_recipe(self.path / _RECIPE)

        self.history_path = self.path / "history.csv"
        self.skipped_path = self.path / "skipped.txt"
        self.last_checkpoint = self.path / "checkpoints" / "last.ckpt"
        self.kept_checkpoint = self.path / "checkpoints" / f"{self.recipe.train.keep}.ckpt"
        self.face_gate_path = self.path / "face_gate.json"
        self.calibration_path = self.path / "calibration.json"
        self.weights_path = self.path / "model.safetensors"
        self.bundle_path = self.path / BUNDLE_NAME
        self.int8_path = self.path / INT8_NAME
        self.report_path = self.path / "report.html"

    @classmethod
    def create(cls, path: AnyPath, recipe: Recipe, record: RunRecord) -> Self:
        """Make a new run directory, whole or not at all.

        Args:
            path: path of the directory.
            recipe: recipe of the run, with its overrides.
            record: first record of the run.

        Raises:
            RunError: if the path exists already.
        """
        path = expand_user(path)
        cls.refuse_existing(path)
        with atomic_folder(path) as temporary:
            (temporary / "checkpoints").mkdir()
            write_text(temporary / _RECIPE, tomli_w.dumps(recipe.as_dict()))
            write_record(temporary / RECORD_NAME, record)
        return cls(path)

    @staticmethod
    def refuse_existing(path: Path) -> None:
        """Raise a MienError if the path of a new run exists already, or cannot be written."""
        try:
            exists = path.exists()
        except (OSError, ValueError) as error:  # a name that is too long, or is none
            reason = getattr(error, "strerror", None) or error
            raise RunError(f"{path}: cannot be a run directory ({reason})") from None
        refuse_unwritable(path.parent)
        if exists:
            raise RunError(
                f"{path}: exists already; choose another --out, "
                f"or continue a stopped run: mien train --resume {path}"
            )

    def update(self, **changes: Any) -> None:
        """Change fields of the record, first on disk."""
        record = self.record.model_copy(update=changes)
        write_record(self.path / RECORD_NAME, record)
        self.record = record

    def change_recipe(self, recipe: Recipe) -> None:
        """Replace the recipe, first on disk."""
        if recipe != self.recipe:
            write_text(self.path / _RECIPE, tomli_w.dumps(recipe.as_dict()))
            self.recipe = recipe

    def history(self) -> list[dict[str, float]]:
        """Return one row per finished epoch, with a value for each column of the history.

        Raises:
            RunError: if the file is damaged.
        """
        if not self.history_path.is_file():
            return []
        try:
            names, *lines = self.history_path.read_text(encoding="utf-8").splitlines() or [""]
            columns = names.split(",")
            if missing := [name for name in HISTORY_COLUMNS if columns.count(name) != 1]:
                raise ValueError(f"expected one column {missing[0]}")
            rows = [dict(zip(columns, map(float, line.split(",")), strict=True)) for line in lines]
            if [row["epoch"] for row in rows] != list(range(1, len(rows) + 1)):
                raise ValueError("expected the epochs 1, 2, 3 and so on")
            return rows
        except OSError as error:
            raise RunError(
                f"{self.history_path}: cannot be read ({error.strerror}); {_MEND}"
            ) from error
        except ValueError as error:
            raise RunError(f"{self.history_path}: damaged ({error}); {_MEND}") from error

    def evaluation_path(self, split: str) -> Path:
        """Return the path of the evaluation on a split of the run's own data."""
        return evaluation_path(self.path, split)

    def remove_results(self) -> None:
        """Remove everything that was made from a checkpoint, before training outdates it.

        The temporary files of a process that was killed while it wrote are removed as well. The
        test-set log stays: the decision to train further may depend on its measurements.
        """
        shutil.rmtree(self.path / "evaluations", ignore_errors=True)
        results = (self.weights_path, self.bundle_path, self.int8_path)
        fitted = (self.face_gate_path, self.calibration_path)
        for path in (*results, *fitted, *self.path.glob("report*.html")):
            path.unlink(missing_ok=True)
        for folder in self.path.glob("figures*"):
            shutil.rmtree(folder, ignore_errors=True)
        for path in self.path.rglob(".*"):
            if path.is_file() and _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training the run inside this block.

        Raises:
            RunError: if another process trains the run, or its directory cannot be written.
        """
        with locked_folder(self.path, busy="is being trained by another process"):
            yield


def evaluation_path(folder: Path, split: str) -> Path:
    """Return the path of a run directory's evaluation on a split."""
    return folder / "evaluations" / f"{split}.json"


def refuse_links(folder: Path, names: Iterable[str] = _WRITTEN_IN) -> None:
    """Raise a RunError for a link in a run directory that leads out of it.

    Args:
        folder: path of the run directory.
        names: paths in it to check.
    """
    for path in (folder / name for name in names):
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            raise RunError(
                f"{path}: is a link to outside of the run, where a run from elsewhere could change "
                "files; put the file or folder itself in its place"
            )


def _read_recipe(path: Path) -> Recipe:
    try:
        # Names of weights that are not UTF-8 keep their bytes.
        values = read_toml_file(path, errors="surrogateescape")
        return parse_recipe(values, where=str(path), for_training=False)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); {_MEND}") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise RunError(f"{path}: damaged ({error}); {_MEND}") from error
