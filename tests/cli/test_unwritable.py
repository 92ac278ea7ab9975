"""An output that cannot be written is reported before the work, not after it."""

from __future__ import annotations

import shutil

import pytest

from mien.bundle import bundle as bundles
from mien.runs.run import Run

COMMANDS = {
    "train": "train quick --data {data} --out {bad}",
    "demo": "demo --data {data} --out {bad}",
    "sweep": "sweep quick --grid train.lr=0.1,0.2 --data {data} --out {bad}",
    "evaluate": "evaluate {run} --data {data} --out {bad}",
    "compare": "compare {run} {other} --out {bad}",
    "report": "report {run} --out {bad}",
    "explain": "explain {run} {photo} --crops --out {bad}",
    "predict, copies": "predict {photo} --crops --save {bad}/x",
    "predict, a table": "predict {photo} --crops --csv {bad}",
    "predict, lines": "predict {photo} --crops --jsonl {bad}",
    "predict, crops": "predict {photo} --crops --save-crops {bad}",
    "bench": "bench mien-xs --out {bad}",
    "export": "export {run} --out {bad}.onnx",
    "export int8": "export {run} --int8 --out {bad}.onnx",
    "audit": "data audit {data} --out {bad}",
    "explore": "data explore {data} --out {bad}",
    "clean": "data clean {data} --out {bad}",
    "split": "data split {data} --out {bad}",
    "synth": "data synth {bad} --count 14",
    "fetch FER-2013": "data fetch fer2013 --out {bad}",
    "fetch FER+": "data fetch ferplus --out {bad}",
}


@pytest.fixture
def no_work(monkeypatch):
    """Refuse that a network reads a face; the data is missing, which would be said as well."""

    def work(*_, **__):
        raise AssertionError("work was done")

    monkeypatch.setattr(bundles.Bundle, "predict", work)


@pytest.mark.parametrize("case", COMMANDS)
def test_it_is_said_first(case, run, pictures, tmp_path, monkeypatch, no_work, mien):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run.path, "other")
    (tmp_path / "file").write_text("no folder")
    names = {"data": "nowhere.csv", "run": run.path, "other": "other", "bad": "file/new/out"}
    photo = tmp_path / "face.png"
    from mien.images.crop import encode_png

    photo.write_bytes(encode_png(pictures[0]))
    outcome = mien(*COMMANDS[case].format(photo=photo, **names).split())
    assert outcome.code == 2
    assert "cannot be written (Not a directory)" in outcome.err
    assert outcome.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face.png", "file", "other"]


@pytest.mark.parametrize("option", ["--resume", "--continue"])
def test_a_run_that_cannot_be_written(option, run, tmp_path, monkeypatch, no_work, mien):
    """A folder without a writable place stands for one on a read-only disk."""
    path = tmp_path / "run"
    shutil.copytree(run.path, path)
    if option == "--resume":
        Run(path).update(status="interrupted")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    more = ["--set", "train.epochs=9"] if option == "--continue" else []
    outcome = mien("train", option, path, "--data", "nowhere.csv", *more)
    assert outcome.code == 2
    assert "run: cannot be written (Permission denied)" in outcome.err
