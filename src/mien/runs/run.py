"""A run: one directory that holds all that is known of one training.

run.json             what was trained on what, where, how far it came
recipe.toml          the recipe as run, overrides applied
history.csv          one row an epoch
checkpoints/         last.ckpt to resume from, best.ckpt to keep
model.safetensors    the kept weights
model.onnx           the Bundle
face_gate.json       what makes it unsure of non-faces, where the recipe wants that
calibration.json     map of the logits and threshold, where images were kept back for them
evaluations/         one JSON file a split
membership.npz       digests of the images that it trains on and was chosen by
test_log.csv         one row for each measurement on a test split
report.html
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import ValidationError

from mien.errors import RunError
from mien.io.files import atomic_folder, locked_folder, write_text
from mien.recipes import Recipe
from mien.recipes.recipe import parse_recipe
from mien.runs.record import RunRecord


class Run:
    """A run directory, opened.

    Args:
        path: the directory.

    Raises:
        RunError: if it is missing, or not a run, or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise RunError(f"{path}: no such run directory; `mien train` makes one")
        record = self.path / "run.json"
        if not record.is_file():
            raise RunError(f"{path}: not a run directory, it has no run.json")
        try:
            self.record = RunRecord.model_validate_json(record.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the whole"
            raise RunError(f"{record}: damaged ({key}: {first['msg'].lower()})") from None
        recipe = self.path / "recipe.toml"
        try:
            self.recipe: Recipe = parse_recipe(
                tomllib.loads(recipe.read_text(encoding="utf-8")), where=str(recipe)
            )
        except (OSError, ValueError) as error:
            raise RunError(f"{recipe}: damaged ({error})") from error

    @classmethod
    def create(cls, path: str | Path, recipe: Recipe, record: RunRecord) -> Self:
        """Make a new run directory, all of it or nothing.

        Raises:
            RunError: if the path exists already.
        """
        path = Path(path)
        cls.refuse_existing(path)
        with atomic_folder(path) as temporary:
            (temporary / "checkpoints").mkdir()
            (temporary / "recipe.toml").write_text(tomli_w.dumps(recipe.as_dict()), "utf-8")
            (temporary / "run.json").write_text(record.as_json(), "utf-8")
        return cls(path)

    @staticmethod
    def refuse_existing(path: Path) -> None:
        """Raise a RunError if there is something at ``path``."""
        if path.exists():
            raise RunError(
                f"{path}: exists already; choose another --out, "
                f"or continue a run that was stopped: mien train --resume {path}"
            )

    @property
    def last_checkpoint(self) -> Path:
        """Where training goes on from."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def kept_checkpoint(self) -> Path:
        """The checkpoint that the recipe keeps: the best one, or the last."""
        return self.path / "checkpoints" / f"{self.recipe.train.keep}.ckpt"

    @property
    def weights_path(self) -> Path:
        """The kept weights, in safetensors."""
        return self.path / "model.safetensors"

    @property
    def bundle_path(self) -> Path:
        """The Bundle."""
        return self.path / "model.onnx"

    @property
    def int8_path(self) -> Path:
        """The int8 Bundle, where one was exported."""
        return self.path / "model-int8.onnx"

    @property
    def history_path(self) -> Path:
        """One row an epoch."""
        return self.path / "history.csv"

    @property
    def skipped_path(self) -> Path:
        """What was left out of the data, a line each; only where something was."""
        return self.path / "skipped.txt"

    @property
    def face_gate_path(self) -> Path:
        """The gate that logits of non-faces do not pass, where the recipe wants one."""
        return self.path / "face_gate.json"

    @property
    def calibration_path(self) -> Path:
        """The map of the logits and the threshold, where images were kept back for them."""
        return self.path / "calibration.json"

    @property
    def report_path(self) -> Path:
        """The report."""
        return self.path / "report.html"

    def evaluation_path(self, split: str) -> Path:
        """Where the evaluation on a split of the run's own data is kept."""
        return evaluation_path(self.path, split)

    def update(self, **changes: Any) -> None:
        """Change the record, on disk first."""
        record = self.record.model_copy(update=changes)
        write_text(self.path / "run.json", record.as_json())
        self.record = record

    def history(self) -> list[dict[str, float]]:
        """Return the history's rows, as far as training came.

        Raises:
            RunError: if the file is damaged.
        """
        if not self.history_path.is_file():
            return []
        try:
            lines = self.history_path.read_text(encoding="utf-8").splitlines()
            names = lines[0].split(",")
            return [
                {name: float(value) for name, value in zip(names, line.split(","), strict=True)}
                for line in lines[1:]
            ]
        except (IndexError, ValueError) as error:
            raise RunError(f"{self.history_path}: damaged ({error})") from error

    def remove_results(self) -> None:
        """Remove what was made of a checkpoint that training now goes beyond, and leftovers.

        Leftovers are the temporary files of a process that was killed while it wrote one. The
        test-set log stays: whoever measured may go on because of what they saw.
        """
        shutil.rmtree(self.path / "evaluations", ignore_errors=True)
        results = (self.weights_path, self.bundle_path, self.int8_path)
        fitted = (self.face_gate_path, self.calibration_path)
        for path in (*results, *fitted, *self.path.glob("report*.html")):
            path.unlink(missing_ok=True)
        for folder in self.path.glob("figures*"):
            shutil.rmtree(folder, ignore_errors=True)
        for path in self.path.rglob(".*"):
            if path.is_file() and re.fullmatch(r"\..+\.[a-z0-9_]{8}(\.\w+)?", path.name):
                path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training the same run; the lock goes with the process.

        Raises:
            RunError: if another process has it.
        """
        try:
            with locked_folder(self.path):
                yield
        except BlockingIOError:
            raise RunError(f"{self.path}: is being trained by another process") from None


def evaluation_path(folder: Path, split: str) -> Path:
    """Return where a run's directory keeps its evaluation on a split."""
    return folder / "evaluations" / f"{split}.json"


def free_name(folder: Path, name: str) -> Path:
    """Return ``folder/name``, or ``folder/name-2`` and so on where that is taken."""
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}"
    return path
