"""Paths with names that are not UTF-8, are empty, or look like something else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mien as package
from mien.data import load_dataset
from mien.data.formats.base import FORMATS, writable_layouts
from mien.data.write import write_dataset
from mien.errors import MienError
from mien.runs.run import Run

ODD = os.fsdecode(b"caf\xe9")  # é in Latin-1: no UTF-8
TINY = ["train.epochs=1", "model.channels=[8,16,16,16]", "train.batch_size=32"]


@pytest.fixture
def odd(tmp_path) -> Path:
    folder = tmp_path / ODD
    try:
        folder.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no names that are not UTF-8")
    return folder


@pytest.mark.parametrize("layout", writable_layouts())
def test_data_of_every_layout_below_a_name_that_is_no_utf8(odd, faces, layout, mien):
    path = odd / f"{ODD}{FORMATS[layout].suffix}"
    write_dataset(faces, path, layout)
    for _ in range(2):  # read, then from the cache
        assert load_dataset(path).fingerprint == faces.fingerprint
    outcome = mien("data", "info", path, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out)["images"] == len(faces)


def test_a_run_below_a_name_that_is_no_utf8(odd, faces, layouts, mien):
    """Train into it from such data, evaluate, report, compare, export, read a face."""
    data, runs = odd / f"d{ODD}.csv", [odd / f"{ODD}-{number}" for number in (1, 2)]
    write_dataset(faces, data, "csv")
    package.train("quick", data, runs[0], overrides=TINY)
    package.evaluate(runs[0], data, "test")
    shutil.copytree(*runs)
    opened = Run(runs[0])
    assert opened.record.data.paths == (str(data.resolve()),)
    assert package.evaluate(runs[0], opened.record.data.paths[0]).protocol.same_data
    again = [*TINY, f"model.weights={runs[0]}"]
    package.train("quick", data, odd / "again", overrides=again)
    assert Run(odd / "again").recipe.model.weights == str(runs[0].resolve())
    bundle, compared = odd / f"{ODD}.onnx", odd / "compared"
    assert mien("report", runs[0]).code == 0
    assert mien("compare", *runs, "--out", compared).code == 0
    assert mien("export", runs[0], "--out", bundle).code == 0
    assert package.Bundle(os.fsencode(bundle)).predict(faces.images[:3])[0].shape == (3, 7)
    pages = [*odd.rglob("*.html"), *odd.rglob("*.json"), *odd.rglob("*.md")]
    assert len(pages) > 4
    for page in pages:
        page.read_text(encoding="utf-8")


def test_paths_as_bytes_and_as_entries_of_a_folder(odd, faces, run):
    write_dataset(faces, odd / "faces.csv", "csv")
    (entry,) = os.scandir(odd)
    assert load_dataset(entry).fingerprint == faces.fingerprint
    assert load_dataset(os.fsencode(odd / "faces.csv")).fingerprint == faces.fingerprint
    entries = {entry.name: entry for entry in os.scandir(run.path)}
    assert package.Bundle(entries["model.onnx"]).path == run.bundle_path
    assert package.Run(os.fsencode(run.path)).record == run.record


def test_an_empty_path_is_not_the_current_folder(faces, run, tmp_path, monkeypatch):
    write_dataset(faces, tmp_path / "faces", "folders")
    monkeypatch.chdir(tmp_path / "faces")
    for call in (
        lambda: load_dataset(""),
        lambda: load_dataset(b""),
        lambda: package.Run(""),
        lambda: package.Bundle(""),
        lambda: package.evaluate(run.path, ""),
        lambda: package.train("quick", "", tmp_path / "run"),
        lambda: package.train("quick", tmp_path / "faces", ""),
        lambda: package.export(run, ""),
        lambda: package.write_report(run, out=""),
        lambda: load_dataset(3),
    ):
        with pytest.raises(MienError, match=r"path is empty|not a path"):
            call()


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "info", ""),
        ("train", "quick", "--data="),
        ("train", "quick", "--data", "x.csv", "--out", ""),
        ("evaluate", "", "--data", "x.csv"),
        ("predict", "x.png", "--model="),
        ("predict", ""),
        ("compare", "a", ""),
    ],
)
def test_an_empty_argument_is_refused(arguments, mien):
    outcome = mien(*arguments)
    assert outcome.code == 2
    assert "an empty argument" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("name", ["new\nline", "-dash", "~tilde", "~root", "x" * 251, "[b]$a$"])
def test_names_that_look_like_something_else(name, faces, tmp_path, monkeypatch, mien):
    monkeypatch.chdir(tmp_path)
    given = f"./{name}.csv"
    assert mien("data", "info", given).err.count("\n") == 1  # it is not there yet
    assert mien("data", "synth", "--count", "14", "--layout", "csv", given).code == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.csv"]
    assert mien("data", "info", given).code == 0


def test_without_home_and_user(tmp_path):
    """A container that runs under a number: no HOME, and no entry among the users."""
    program = (
        "import os, pwd\n"
        "for name in ('HOME', 'MIEN_CACHE', 'XDG_CACHE_HOME'):\n"
        "    os.environ.pop(name, None)\n"
        "os.environ['TMPDIR'] = os.getcwd()\n"
        "def nobody(_):\n"
        "    raise KeyError('uid not found')\n"
        "pwd.getpwuid = nobody\n"
        "import mien\n"
        "from pathlib import Path\n"
        "from mien.data.write import write_dataset\n"
        "write_dataset(mien.synthetic_faces(70), Path('faces'), 'folders')\n"
        "print(len(mien.load_dataset('faces')), len(mien.load_dataset('faces')))\n"
        "mien.Reader()\n"
        "try:\n"
        "    mien.load_dataset('~/faces')\n"
        "except mien.MienError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    first, second = done.stdout.splitlines()
    assert first == "70 70"
    assert second == "~/faces: no home folder is known here; set HOME, or write the path out"
    assert not (tmp_path / "~").exists()
