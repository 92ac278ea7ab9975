"""Run directories from elsewhere, edited or hostile: one line, and nothing outside is touched."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

import mien as package
from mien.errors import MienError, RunError
from mien.runs.compare import compare_runs
from mien.runs.run import Run


class Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.fixture
def copied(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    return tmp_path / "run"


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def interrupted(path: Path) -> None:
    edit(path / "run.json", status="interrupted")


def checkpoint_of(path: Path) -> dict:
    return torch.load(path / "checkpoints" / "last.ckpt", weights_only=True)


DAMAGES = {
    "no dictionary": lambda _: [1, 2],
    "empty": lambda _: {},
    "state of another kind": lambda kept: {**kept, "state_dict": 3},
    "values of another kind": lambda kept: {**kept, "state_dict": {"classifier.x": "text"}},
    "without callbacks": lambda kept: {k: v for k, v in kept.items() if k != "callbacks"},
    "callbacks of another kind": lambda kept: {**kept, "callbacks": [1]},
    "no history": lambda kept: {**kept, "callbacks": {}},
    "a history of texts": lambda kept: {
        **kept,
        "callbacks": {**kept["callbacks"], "History": {"rows": [{"epoch": "one"}]}},
    },
    "a history of another kind": lambda kept: {
        **kept,
        "callbacks": {**kept["callbacks"], "History": {"rows": 3}},
    },
    "weights that are not finite": lambda kept: {
        **kept,
        "state_dict": {
            name: value * float("nan") if value.is_floating_point() else value
            for name, value in kept["state_dict"].items()
        },
    },
}
ONLY_RESUMED = {
    "no loops": lambda kept: {k: v for k, v in kept.items() if k != "loops"},
    "loops of another kind": lambda kept: {**kept, "loops": 3},
    "an optimizer of another kind": lambda kept: {**kept, "optimizer_states": [{"a": 1}]},
    "no optimizer": lambda kept: {**kept, "optimizer_states": []},
    "an epoch that is text": lambda kept: {**kept, "epoch": "x", "global_step": "y"},
}


@pytest.mark.parametrize("case", {**DAMAGES, **ONLY_RESUMED})
def test_a_checkpoint_of_right_form_and_wrong_content(case, copied):
    changed = {**DAMAGES, **ONLY_RESUMED}[case](checkpoint_of(copied))
    for path in (copied / "checkpoints").iterdir():
        torch.save(changed, path)
    if case in DAMAGES:
        with pytest.raises(RunError, match=r"\.ckpt: damaged"):
            package.export(copied)
    interrupted(copied)
    with pytest.raises(RunError, match=r"\.ckpt: damaged") as caught:
        package.resume(copied)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["checkpoints/last.ckpt", "checkpoints/best.ckpt"])
@pytest.mark.parametrize("form", ["pickle", "torch", "inside", "legacy"])
def test_no_code_of_a_checkpoint_is_run(place, form, copied, tmp_path):
    mark, path = tmp_path / "owned", copied / place
    if form == "pickle":
        path.write_bytes(pickle.dumps(Attack(mark)))
    elif form == "inside":
        torch.save({**checkpoint_of(copied), "more": Attack(mark)}, path)
    else:
        torch.save(Attack(mark), path, _use_new_zipfile_serialization=form == "torch")
    interrupted(copied)
    for act in (package.resume, package.export):
        with suppress(RunError):  # one of the two does not need this checkpoint
            act(copied)
    assert not mark.exists()


def test_no_code_of_a_membership_is_run(copied, layouts, tmp_path):
    mark = tmp_path / "owned"
    attack = np.array([Attack(mark)], dtype=object)
    np.savez(copied / "membership.npz", trained_on=attack, chosen_by=attack)
    with pytest.raises(RunError, match="damaged"):
        package.evaluate(copied, layouts["csv"])
    assert not mark.exists()


def test_no_torch_file_is_loaded_with_code_anywhere():
    """`torch.load` is called at one place, weights-only; nothing else unpickles."""
    words = ("torch.load(", "pickle.load", "allow_pickle=True")
    calls = [
        (path.name, line)
        for path in Path(package.__file__).parent.rglob("*.py")
        for line in path.read_text().splitlines()
        if any(word in line for word in words)
    ]
    assert [name for name, _ in calls] == ["kept.py"]
    assert "weights_only=True" in calls[0][1]


@pytest.mark.parametrize("linked", ["checkpoints/last.ckpt", "checkpoints"])
def test_a_checkpoint_from_outside_the_run_is_refused(linked, copied, tmp_path):
    (copied / linked).rename(tmp_path / "elsewhere")
    (copied / linked).symlink_to(tmp_path / "elsewhere")
    interrupted(copied)
    with pytest.raises(RunError, match="is a link to outside of the run"):
        package.resume(copied)


@pytest.mark.parametrize("linked", ["evaluations", "tensorboard", "checkpoints"])
def test_nothing_is_written_through_a_link(linked, copied, layouts, tmp_path):
    shutil.rmtree(copied / linked, ignore_errors=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "val.json").write_text("mine")
    (copied / linked).symlink_to(outside)
    for act in (lambda: package.evaluate(copied, layouts["csv"]), lambda: Run(copied)):
        with pytest.raises(RunError, match="is a link to outside of the run"):
            act()
    assert [path.read_text() for path in outside.iterdir()] == ["mine"]


def test_a_lock_file_is_not_followed(copied, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in (".lock", ".test_log.lock"):
        (copied / name).unlink(missing_ok=True)
        (copied / name).symlink_to(victim)
        with pytest.raises(RunError, match="is a link to outside"):
            Run(copied)
        (copied / name).unlink()
    assert victim.read_text() == "mine"


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("trained_on", "chosen_by"):
            with archive.open(f"{name}.npy", "w") as member:
                head = {"descr": "<u8", "fortran_order": False, "shape": (2**22,)}
                np.lib.format.write_array_header_1_0(member, head)
                member.write(bytes(2**25))


MEMBERSHIPS = {
    "compressed": bomb,
    "texts": lambda path: np.savez(path, trained_on=["a"], chosen_by=["b"]),
    "a table": lambda path: np.savez(path, trained_on=np.ones((2, 2)), chosen_by=np.ones(2)),
    "one array": lambda path: np.savez(path, trained_on=np.ones(2, np.uint64)),
    "no archive": lambda path: path.write_bytes(b"\x93NUMPY"),
    "empty": lambda path: path.write_bytes(b""),
    "a huge shape": lambda path: _huge(path),
}


def _huge(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("trained_on", "chosen_by"):
            with archive.open(f"{name}.npy", "w") as member:
                head = {"descr": "<u8", "fortran_order": False, "shape": (2**58,)}
                np.lib.format.write_array_header_1_0(member, head)


@pytest.mark.parametrize("case", MEMBERSHIPS)
def test_a_damaged_membership(case, copied, layouts):
    MEMBERSHIPS[case](copied / "membership.npz")
    with pytest.raises(RunError, match=r"membership\.npz: damaged"):
        package.evaluate(copied, layouts["csv"])


HISTORIES = {
    "empty": "",
    "no header": "1,2,3\n",
    "another header": "a,b\n1,2\n",
    "a column is missing": "epoch,train_loss\n1,0.5\n",
    "a column twice": "epoch,epoch\n1,1\n",
    "letters": "{header}\n1,a,0,0,0,0,0,0\n",
    "fewer cells": "{header}\n1,2\n",
    "an epoch that is not a number": "{header}\nnan,0,0,0,0,0,0,0\n",
    "an infinite epoch": "{header}\ninf,0,0,0,0,0,0,0\n",
    "epochs in disorder": "{header}\n2,0,0,0,0,0,0,0\n1,0,0,0,0,0,0,0\n",
    "a blank line": "{header}\n\n1,0,0,0,0,0,0,0\n",
    "not UTF-8": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("case", HISTORIES)
def test_an_edited_history(case, copied, mien):
    text, path = HISTORIES[case], copied / "history.csv"
    header = path.read_text().splitlines()[0]
    path.write_bytes(text if isinstance(text, bytes) else text.format(header=header).encode())
    with pytest.raises(RunError, match=r"history\.csv: damaged"):
        Run(copied).history()
    outcome = mien("report", copied)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1


EVALUATIONS = {
    "a label too large": {"labels": [99]},
    "a negative label": {"labels": [-1]},
    "a probability that is missing": {"probabilities": [[0.5, 0.5]]},
    "no probabilities": {"probabilities": []},
    "a probability that is no number": {"probabilities": [[float("nan")] * 7]},
    "probabilities of 3": {"probabilities": [[3.0] * 7]},
    "no image": {"labels": [], "probabilities": []},
    "no class": {"per_class": []},
    "a confusion of one class": {"confusion": [[1]]},
}


@pytest.mark.parametrize("case", EVALUATIONS)
def test_an_edited_evaluation(case, copied, run, mien):
    path = copied / "evaluations" / "val.json"
    count = len(json.loads(path.read_text())["labels"])
    changes = {
        name: value * count if name in ("labels", "probabilities") and value else value
        for name, value in EVALUATIONS[case].items()
    }
    edit(path, **changes)
    with pytest.raises(RunError, match=r"val\.json: damaged"):
        compare_runs([copied, run.path], "val")
    outcome = mien("report", copied)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "mien evaluate" in outcome.err


RECORDS = {"nested": "[" * 100_000, "digits": '{"images": ' + "9" * 5_000 + "}", "no JSON": "{",
           "Latin-1": b'"caf\xe9"', "a list": "[]", "empty": ""}  # fmt: skip


@pytest.mark.parametrize("name", ["run.json", "calibration.json", "evaluations/val.json"])
@pytest.mark.parametrize("case", RECORDS)
def test_a_damaged_record(name, case, copied, run, mien):
    content, path = RECORDS[case], copied / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    act = (lambda: mien("export", copied)) if "evaluations" not in name else None
    act = act or (lambda: mien("compare", copied, run.path, "--split", "val"))
    outcome = act()
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert f"{name}: damaged" in outcome.err


CALIBRATIONS = {
    "no matrix": {"matrix": []},
    "a small matrix": {"matrix": [[1.0]], "bias": [0.0]},
    "a ragged matrix": {"matrix": [[1.0], [1.0, 2.0]]},
    "a short bias": {"bias": [0.0]},
    "not finite": {"temperature": float("nan")},
    "a temperature of 0": {"temperature": 0.0},
    "a share of 7": {"votes_share": 7.0},
    "a short offset": {"offset": [0.0]},
}
GOOD = {
    "images": 9, "matrix": np.eye(7).tolist(), "bias": [0.0] * 7, "uncertain_below": 0.5,
    "target_accuracy": 0.9, "error_before": 0.1, "error_after": 0.1, "accuracy": 0.5,
    "answered_accuracy": None, "coverage": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("case", CALIBRATIONS)
def test_an_edited_calibration(case, copied):
    path = copied / "calibration.json"
    path.write_text(json.dumps({**GOOD, **CALIBRATIONS[case]}))
    with pytest.raises(RunError, match=r"calibration\.json: damaged"):
        package.export(copied)
    path.write_text(json.dumps(GOOD))
    package.export(copied)


def test_an_edited_face_gate(copied):
    path = copied / "face_gate.json"
    good = {"weight": [float("nan")], "bias": 0.0, "faces": 1, "non_faces": 1, "faces_open": 1.0,
            "non_faces_open": 0.0}  # fmt: skip
    path.write_text(json.dumps(good))
    with pytest.raises(RunError, match=r"face_gate\.json: "):
        package.export(copied)


def test_names_that_are_too_long_or_no_names(layouts, tmp_path):
    for name in ("x" * 300, "a\0b"):
        for act in (
            lambda name=name: Run(tmp_path / name),
            lambda name=name: package.train("quick", layouts["csv"], tmp_path / name),
            lambda name=name: package.resume(tmp_path / name),
            lambda name=name: package.export(tmp_path / name),
            lambda name=name: compare_runs([tmp_path / name, tmp_path]),
            lambda name=name: package.write_report(tmp_path / name),
            lambda name=name: package.train(name, layouts["csv"], tmp_path / "run"),
        ):
            with pytest.raises(MienError) as caught:
                act()
            assert "\n" not in str(caught.value)
