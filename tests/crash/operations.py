"""The commands that are killed, the state each starts from, and what has to hold after a kill."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import cv2
import numpy as np

Arguments = list[str | Path]

_SETTINGS = ["train.epochs=2", "model.channels=[8,16,16,16]", "train.batch_size=32"]
SETTINGS = [word for setting in _SETTINGS for word in ("--set", setting)]
FACES = 160
PHOTOS = 3


class Operation(ABC):
    """A command in a folder of its own, which begins as a copy of the base.

    Args:
        base: folder with the data set ``fer.csv``, the ``photos`` and the finished run ``run``.
        folder: folder to work in.
    """

    copies: ClassVar[tuple[str, ...]] = ("fer.csv",)
    succeeded: ClassVar[tuple[int, ...]] = (0,)  # exit codes
    is_repeated: ClassVar = False  # the same command again replaces what is there

    def __init__(self, base: Path, folder: Path) -> None:
        self.base, self.folder = base, folder
        self.has_errors = False  # whether its commands may fail, and not only be killed

    def begin(self) -> None:
        """Make the folder anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for name in self.copies:
            source = self.base / name
            # The times stay, by which the cache knows the file.
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, self.folder / name)
        os.environ["MIEN_CACHE"] = str(self.cache)

    @property
    def cache(self) -> Path:
        """Folder of the cache."""
        return self.base / "cache"

    @abstractmethod
    def next_command(self) -> Arguments | None:
        """Return the command to start or to go on with; None once everything is done.

        A command that is repeated is done once it has ended by itself.
        """

    @abstractmethod
    def check(self) -> None:
        """Raise an error if something is left that is not whole."""

    @abstractmethod
    def result(self) -> str:
        """Return a digest of the result, which no kill may change."""

    def settle(self, rng: np.random.Generator) -> None:  # noqa: B027 - most need nothing
        """Do what is needed after a kill before the next command."""


class Train(Operation):
    def next_command(self) -> Arguments | None:
        run = self.folder / "run"
        if not run.exists():
            return ["train", "quick", "--data", self.folder / "fer.csv", "--out", run, *SETTINGS]
        if json.loads((run / "run.json").read_text())["status"] != "finished":
            return ["train", "--resume", run]
        return None if (run / "report.html").is_file() else ["report", run]

    def check(self) -> None:
        if (self.folder / "run").exists():
            check_run(self.folder / "run")

    def result(self) -> str:
        return digest(self.folder / "run" / "model.safetensors")


class Export(Operation):
    is_repeated = True
    copies = ("fer.csv", "run")
    int8: ClassVar = False

    @property
    def path(self) -> Path:
        return self.folder / ("new-int8.onnx" if self.int8 else "new.onnx")

    def next_command(self) -> Arguments | None:
        options = ["--int8", "--data", self.folder / "fer.csv"] if self.int8 else []
        return ["export", self.folder / "run", *options, "--out", self.path]

    def check(self) -> None:
        check_run(self.folder / "run")
        if self.path.exists():
            check_bundle(self.path)

    def result(self) -> str:
        return digest(self.path)


class ExportInt8(Export):
    int8 = True


class Batch(Operation):
    is_repeated = True
    copies = ("photos",)

    def next_command(self) -> Arguments | None:
        out = self.folder
        return [
            "predict", out / "photos", "--detector", "haar", "--csv", out / "faces.csv",
            "--jsonl", out / "faces.jsonl", "--save", out / "copies", "--save-crops", out / "crops",
        ]  # fmt: skip

    def check(self) -> None:
        for path in (*self._files("copies"), *self._files("crops")):
            check_picture(path)
        if (path := self.folder / "faces.csv").exists():
            header, *rows = csv.reader(path.read_text().splitlines(), strict=True)
            assert path.read_text().endswith("\n")
            assert all(len(row) == len(header) for row in rows)
            self._check_sources({row[0] for row in rows})
        if (path := self.folder / "faces.jsonl").exists():
            lines = path.read_text().splitlines()
            self._check_sources({json.loads(line)["source"] for line in lines})

    def _check_sources(self, found: set[str]) -> None:
        photos = set(map(str, (self.folder / "photos").iterdir()))
        # After an error, all that was read until then is kept.
        assert found <= photos if self.has_errors else found == photos, found

    def result(self) -> str:
        files = [*self._files("copies"), *self._files("crops")]
        text = (self.folder / "faces.csv").read_text().replace(str(self.folder), "")
        return ",".join([path.name for path in files] + [hashlib.sha256(text.encode()).hexdigest()])

    def _files(self, name: str) -> list[Path]:
        return visible(self.folder / name)


class Sweep(Operation):
    @property
    def path(self) -> Path:
        return self.folder / "sweep"

    def next_command(self) -> Arguments | None:
        if not self.path.exists():
            return [
                "sweep", "quick", "--grid", "train.lr=0.01,0.02", "--data", self.folder / "fer.csv",
                "--out", self.path, *SETTINGS, "--set", "train.epochs=1", "--jobs", "2",
            ]  # fmt: skip
        if self._finished() and (self.path / "sweep.html").is_file():
            return None
        # A trial whose disk was full has failed, and is only trained again if that is asked for.
        return ["sweep", "--resume", self.path, "--jobs", "2", "--retry-failed"]

    def settle(self, rng: np.random.Generator) -> None:
        """End the trials that go on alone, at once or after a while, as when a machine goes off."""
        time.sleep(float(rng.uniform(0, 2)))
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if f"mien.sweeps.trial\0{self.path}\0".encode() in process.read_bytes():
                    os.kill(int(process.parent.name), signal.SIGKILL)
        time.sleep(0.1)

    def check(self) -> None:
        from mien.sweeps.folder import SweepFolder

        if not self.path.exists():
            return
        for trial in SweepFolder(self.path).trials():
            assert trial.status != "failed" or "No space left" in trial.error, trial.error
            if (run := self.path / "trials" / f"{trial.number:03}").exists():
                check_run(run)
        check_page(self.path / "sweep.html")

    def result(self) -> str:
        trials = sorted((self.path / "trials").glob("*/model.safetensors"))
        return ",".join(map(digest, trials))

    def _finished(self) -> bool:
        records = sorted((self.path / "trials").glob("[0-9]*.json"))
        return all(json.loads(path.read_text())["status"] == "finished" for path in records)


class Report(Operation):
    is_repeated = True
    copies = ("fer.csv", "run")

    def begin(self) -> None:
        super().begin()
        (self.folder / "run" / "report.html").unlink()

    def next_command(self) -> Arguments | None:
        run = self.folder / "run"
        return ["report", run, "--data", self.folder / "fer.csv", "--figures"]

    def check(self) -> None:
        check_run(self.folder / "run")
        for path in visible(self.folder / "run" / "figures"):
            if path.suffix == ".png":
                check_picture(path)
            elif path.suffix == ".svg":
                ElementTree.fromstring(path.read_text())
            elif path.suffix == ".json":
                json.loads(path.read_text())

    def result(self) -> str:
        return ",".join(path.name for path in visible(self.folder / "run" / "figures"))


class Clean(Operation):
    @property
    def path(self) -> Path:
        return self.folder / "clean.csv"

    def next_command(self) -> Arguments | None:
        manifest = self.path.with_name("clean.csv.manifest.csv")
        if self.path.exists() and not manifest.exists():  # killed between the two
            self.path.unlink()  # as the message says: choose another name, or remove it first
        if self.path.exists():
            return None
        return ["data", "clean", self.folder / "fer.csv", "--out", self.path]

    def check(self) -> None:
        check_data(self.path)

    def result(self) -> str:
        return digest(self.path)


class Split(Operation):
    @property
    def path(self) -> Path:
        return self.folder / "split"

    def next_command(self) -> Arguments | None:
        if self.path.exists():
            return None
        return [
            "data", "split", self.folder / "fer.csv", "--fractions", "60,20,20",
            "--layout", "folders", "--out", self.path,
        ]  # fmt: skip

    def check(self) -> None:
        check_data(self.path)
        if self.path.exists():
            assert len(list(self.path.rglob("*.png"))) == FACES

    def result(self) -> str:
        files = sorted(self.path.rglob("*.png"))
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


class Evaluate(Operation):
    is_repeated = True
    copies = ("fer.csv", "run")

    def next_command(self) -> Arguments | None:
        return [
            "evaluate", self.folder / "run", "--data", self.folder / "fer.csv", "--split", "test",
            "--no-scorecard", "--out", self.folder / "test.json",
        ]  # fmt: skip

    def check(self) -> None:
        check_run(self.folder / "run")
        check_evaluation(self.folder / "test.json")
        log = self.folder / "run" / "test_log.csv"
        if log.exists():
            rows = list(csv.reader(log.read_text().splitlines(), strict=True))
            assert {len(row) for row in rows} == {5}, rows
        if (self.folder / "run" / "evaluations" / "test.json").exists():
            assert log.exists(), "a measurement on test that is not in the log"

    def result(self) -> str:
        return digest(self.folder / "test.json")


class Cache(Operation):
    """A data set that is read, so that the cache is written, and searched for duplicates."""

    is_repeated = True
    succeeded = (0, 1)  # 1 says that the audit found something serious

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def next_command(self) -> Arguments | None:
        return ["data", "audit", self.folder / "fer.csv", "--json"]

    def check(self) -> None:
        """Read through what the killed process left in the cache."""
        from mien.data import load_dataset
        from mien.data.cache import load_arrays

        for path in (self.cache / "arrays").glob("[!.]*"):
            assert load_arrays(path.stem) is not None, path
        copy = self.base / "cache-copy"  # reading mends the cache, which is left to the command
        shutil.rmtree(copy, ignore_errors=True)
        if self.cache.exists():
            shutil.copytree(self.cache, copy)
        os.environ["MIEN_CACHE"] = str(copy)
        assert len(load_dataset(self.folder / "fer.csv")) == FACES

    def result(self) -> str:
        (entry,) = (self.cache / "datasets").glob("[!.]*")
        return ",".join(digest(path) for path in sorted(entry.glob("*.npy")))


OPERATIONS: dict[str, type[Operation]] = {
    "train": Train,
    "export": Export,
    "export-int8": ExportInt8,
    "batch": Batch,
    "sweep": Sweep,
    "report": Report,
    "clean": Clean,
    "split": Split,
    "evaluate": Evaluate,
    "cache": Cache,
}


def make_base(base: Path, *, with_run: bool) -> list[Callable[[], None]]:
    """Return the steps that make the folder which operations copy."""
    from tests.crash.harness import command

    csv_path, run = base / "fer.csv", base / "run"

    def draw() -> None:
        from mien.data.synthetic.faces import synthetic_faces
        from mien.data.write import write_dataset

        base.mkdir(parents=True)
        write_dataset(synthetic_faces(FACES, seed=1), csv_path, "csv")
        (base / "photos").mkdir()
        photo = cv2.resize(_astronaut(), None, fx=0.5, fy=0.5)
        for number in range(PHOTOS):
            cv2.imwrite(str(base / "photos" / f"photo-{number}.png"), photo)

    os.environ["MIEN_CACHE"] = str(base / "cache")
    train = command(["train", "quick", "--data", csv_path, "--out", run, *SETTINGS])
    return [draw, train] if with_run else [draw]


def _astronaut() -> np.ndarray:
    import skimage

    return cv2.imread(str(Path(skimage.__file__).parent / "data" / "astronaut.png"))


def check_run(path: Path) -> None:
    """Raise an error if a file of a run is not whole; every file may be missing but two."""
    from mien.runs.membership import Membership
    from mien.runs.run import Run
    from mien.training.kept import load_checkpoint

    run = Run(path)
    run.history()
    for checkpoint in (run.last_checkpoint, run.kept_checkpoint):
        if checkpoint.exists():
            load_checkpoint(checkpoint)
    for bundle in (run.bundle_path, run.int8_path):
        if bundle.exists():
            check_bundle(bundle)
    if run.weights_path.exists():
        from safetensors.numpy import load_file

        assert load_file(run.weights_path)
    Membership.load(path)
    for split in ("val", "test"):
        check_evaluation(run.evaluation_path(split))
    check_page(run.report_path)
    if run.record.status == "finished":
        assert run.bundle_path.exists()
        assert run.evaluation_path("val").exists()


def check_bundle(path: Path) -> None:
    from mien.bundle.bundle import Bundle

    bundle = Bundle(path)
    _, probabilities = bundle.predict(np.zeros((2, *bundle.crop.shape), np.uint8))
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-4)


def check_evaluation(path: Path) -> None:
    from mien.evaluation import Evaluation

    if path.exists():
        assert Evaluation.load(path).accuracy.value is not None


def check_page(path: Path) -> None:
    assert not path.exists() or path.read_text().rstrip().endswith("</html>"), path


def check_picture(path: Path) -> None:
    picture = cv2.imread(str(path))
    assert picture is not None, path
    if path.suffix == ".png":
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82"), path
    if path.suffix == ".jpg":
        assert path.read_bytes().endswith(b"\xff\xd9"), path


def check_data(path: Path) -> None:
    from mien.data import load_dataset

    if path.exists():
        assert len(load_dataset(path, make_val=False)) > FACES / 2


def visible(folder: Path) -> list[Path]:
    """Return the files of a folder, without the temporary ones that a kill leaves."""
    if not folder.exists():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
