"""Mutated files of a run directory: read or refused with one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fuzz.harness import fuzz, memory_folder

FILES = ("run.json", "recipe.toml", "history.csv", "evaluations/val.json", "membership.npz",
         "calibration.json", "face_gate.json", "test_log.csv")  # fmt: skip


def runs_open(data: bytes) -> None:
    """Read a run of which one file is the input; its first byte says which."""
    if not data:
        return
    from mien.evaluation import Evaluation
    from mien.runs.membership import Membership
    from mien.runs.run import Run
    from mien.runs.test_log import count_measurements
    from mien.training.kept import read_calibration, read_face_gate

    folder = memory_folder() / "run"
    _write_run(folder)
    name = FILES[data[0] % len(FILES)]
    before = (folder / name).read_bytes() if (folder / name).is_file() else None
    (folder / name).write_bytes(data[1:])
    try:
        run = Run(folder)
        run.history()
        if (folder / "evaluations/val.json").is_file():
            Evaluation.load(folder / "evaluations/val.json").describe_protocol()
        Membership.load(folder)
        read_calibration(run)
        read_face_gate(run)
        count_measurements(folder)
    finally:
        (folder / name).unlink()
        if before is not None:
            (folder / name).write_bytes(before)


def checkpoints_load(data: bytes) -> None:
    """Load a checkpoint."""
    from mien.training.kept import load_checkpoint

    path = memory_folder() / "run" / "checkpoints" / "last.ckpt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    load_checkpoint(path)


def _write_run(folder: Path) -> None:
    """Write a run that is whole but for its weights, once in a process."""
    if folder.is_dir():
        return
    import tomli_w

    from mien.recipes import load_recipe

    (folder / "evaluations").mkdir(parents=True)
    (folder / "run.json").write_bytes(RECORD)
    recipe = load_recipe("quick").as_dict()
    (folder / "recipe.toml").write_text(tomli_w.dumps(recipe))


RECORD = (
    b'{"mien_run": 1, "status": "finished", "started": "2026-01-01T00:00:00+00:00", "data": '
    b'{"name": "a", "paths": ["/a.csv"], "layout": "csv", "fingerprint": "x", "split_rule": "", '
    b'"split_counts": {"train": 2}, "train_class_counts": {"a": 1, "b": 1}, "skip_bad": false, '
    b'"skipped": 0}, "device": "cpu", "precision": "fp32", "threads": 1, "environment": {}, '
    b'"parameters": 1}'
)
HISTORY = (
    b"epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds,images_per_second\n"
    b"1,2,0.1,2,0.1,0.1,1,10\n"
)
SCORE = b'{"value": 0.5, "low": 0.4, "high": 0.6}'
CLASS = b'"images": 1, "precision": 1, "recall": 1, "f1": 1, "roc_auc": null}'
EVALUATION = (
    b'{"protocol": {"model": "a", "data": "b", "fingerprint": "x", "split": "val", "images": 2, '
    b'"split_rule": ""}, "accuracy": ' + SCORE + b', "macro_f1": ' + SCORE
    + b', "weighted_f1": ' + SCORE + b', "roc_auc": ' + SCORE
    + b', "per_class": [{"emotion": "a", ' + CLASS + b', {"emotion": "b", ' + CLASS
    + b'], "confusion": [[1, 0], [0, 1]], "labels": [0, 1], '
    b'"probabilities": [[0.9, 0.1], [0.2, 0.8]]}'
)  # fmt: skip
CALIBRATION = (
    b'{"images": 9, "matrix": [[1, 0], [0, 1]], "bias": [0, 0], "uncertain_below": 0.5, '
    b'"target_accuracy": 0.9, "error_before": 0.1, "error_after": 0.1, "accuracy": 0.5, '
    b'"answered_accuracy": null, "coverage": 0.5}'
)
GATE = (
    b'{"weight": [1, 2], "bias": 0, "faces": 1, "non_faces": 1, "faces_open": 1, '
    b'"non_faces_open": 0}'
)
LOG = b"time,data,split_fingerprint,images,accuracy\n2026-01-01,a,x,2,0.5\n"


def _runs() -> list[bytes]:
    import io

    import numpy as np

    membership = io.BytesIO()
    np.savez(membership, trained_on=np.arange(2, dtype="u8"), chosen_by=np.arange(1, dtype="u8"))
    recipe = b'name = "a"\n[train]\nepochs = 3\n'
    contents = (RECORD, recipe, HISTORY, EVALUATION, membership.getvalue(), CALIBRATION, GATE, LOG)
    return [bytes([number]) + content for number, content in enumerate(contents)]


def _checkpoints() -> list[bytes]:
    import io

    import torch

    content = io.BytesIO()
    kept = {"state_dict": {"a": torch.ones(2)}, "callbacks": {"History": {"rows": []}},
            "loops": {"a": 1}, "optimizer_states": [{}], "epoch": 1, "global_step": 1}  # fmt: skip
    torch.save(kept, content)
    return [content.getvalue()]


WORDS = (b"null", b"NaN", b"1e999", b"[[", b"{}", b"\\ud800", b"-1", b"PK\x01\x02", b"PK\x03\x04")


def test_runs(tmp_path: Path) -> None:
    fuzz(runs_open, _runs(), tmp_path, words=WORDS)


def test_checkpoints(tmp_path: Path) -> None:
    fuzz(checkpoints_load, _checkpoints(), tmp_path, words=WORDS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_runs(tmp_path: Path) -> None:
    for target, seeds in ((runs_open, _runs()), (checkpoints_load, _checkpoints())):
        folder = tmp_path / target.__name__
        folder.mkdir()
        fuzz(target, seeds, folder, words=WORDS, seconds=0, runs=100_000)
