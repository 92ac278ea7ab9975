"""A training in several processes: the same batches, one run, and a clear end if one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.conftest import TINY
from tests.waiting import wait_until

from mien.data.synthetic.faces import synthetic_faces
from mien.errors import CANNOT_DO, STOPPED, MienError, RecipeError
from mien.runs.run import Run
from mien.training.batches import Batches
from mien.training.launch import launch
from mien.training.processes import Place, find_place
from mien.training.train import train

SETTINGS = [item for setting in TINY for item in ("--set", setting)]
NO_LAUNCHER = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("SLURM", "TORCHELASTIC", "MASTER_"))
}


def start(*arguments: object, launcher: tuple[str, ...] = ("mien",)) -> subprocess.Popen[str]:
    """Start a training on the CPU in processes of their own."""
    return subprocess.Popen(
        [sys.executable, "-m", *launcher, "train", *map(str, arguments), "--no-report"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=NO_LAUNCHER,
    )  # fmt: skip


def second_process(run: Path) -> int:
    """Return the number of the second process of a training."""
    for entry in Path("/proc").iterdir():
        try:
            named = str(run).encode() in (entry / "cmdline").read_bytes()
            if named and b"\0RANK=1\0" in b"\0" + (entry / "environ").read_bytes():
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError("no second process")


@pytest.mark.parametrize("size", [2, 3])
def test_each_batch_is_divided_among_the_processes(size):
    data = synthetic_faces(50, seed=3)
    whole = Batches(data, 12, torch.device("cpu"), 0)
    parts = [Batches(data, 12, torch.device("cpu"), 0, (rank, size)) for rank in range(size)]
    assert {len(part) for part in parts} == {len(whole)}
    for batch, *shares in zip(whole.rows(), *(part.rows() for part in parts), strict=True):
        assert {len(share) for share in shares} == {12 // size}
        assert sorted(torch.cat(shares).tolist()) == sorted(batch.tolist())


def test_small_data_is_divided_evenly_and_validation_loses_no_image():
    data = synthetic_faces(7, seed=3)
    assert Batches(data, 64, torch.device("cpu"), 0, (0, 2)).batch_size == 6
    parts = [Batches(data, 3, torch.device("cpu"), part=(rank, 2)) for rank in range(2)]
    assert [len(batch.labels) for batch in parts[1]] == [1, 1, 0]
    assert sum(len(batch.labels) for part in parts for batch in part) == 7


@pytest.fixture(scope="module")
def killed(layouts, tmp_path_factory):
    """A run of two processes, one of which was killed, with the error and the exit code."""
    run = tmp_path_factory.mktemp("two") / "run"
    process = start(
        "quick", "--data", layouts["csv"], "--out", run, *SETTINGS, "--set", "train.epochs=400",
        "--devices", 2, "--device", "cpu",
    )  # fmt: skip
    wait_until(lambda: (run / "checkpoints" / "last.ckpt").is_file(), seconds=120)
    os.kill(second_process(run), signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    return run, said, process.returncode


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_a_killed_process_ends_the_training_with_a_word(killed):
    run, said, code = killed
    assert code == CANNOT_DO
    assert said.rstrip().endswith(
        "mien: process 2 of 2 was killed (signal 9), so the training has ended; continue it: mien "
        "train --resume RUN"
    )
    assert "Traceback" not in said
    assert said.count("Training quick") == 1
    assert Run(run).record.processes == 2


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_another_number_of_processes_resumes_and_two_end_in_one_run(killed, tmp_path):
    run, _, _ = killed
    done = len(Run(run).history())
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace("epochs = 400", f"epochs = {done + 2}"))
    process = start("--resume", run)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    ended = Run(run)
    assert ended.record.status == "finished"
    assert ended.record.processes == 1
    assert [row["epoch"] for row in ended.history()] == list(range(1, done + 3))


def test_two_processes_learn_what_one_learns(layouts, tmp_path):
    # nothing random, and no statistics of a part of the batch: they take equal steps
    plain = [*TINY, "augment.enabled=false", "model.dropout=0", "model.batch_norm=false"]
    plain.append("train.precision=fp32")  # bf16 has three digits
    alone = train("quick", layouts["csv"], tmp_path / "alone", overrides=plain, device="cpu")
    process = start(
        "quick", "--data", layouts["csv"], "--out", tmp_path / "both", "--devices", 2,
        "--device", "cpu", *(item for setting in plain for item in ("--set", setting)),
    )  # fmt: skip
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    both = Run(tmp_path / "both")
    figures = [
        [[row[f"{split}_{name}"] for split in ("train", "val") for name in ("loss", "accuracy")]
         for row in run.history()]
        for run in (alone, both)
    ]  # fmt: skip
    np.testing.assert_allclose(*figures, rtol=1e-3)
    assert (alone.record.processes, both.record.processes) == (1, 2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_torchrun_restarts_from_the_last_checkpoint(layouts, tmp_path):
    run = tmp_path / "run"
    process = start(
        "quick", "--data", layouts["csv"], "--out", run, *SETTINGS, "--set", "train.epochs=40",
        launcher=(
            "torch.distributed.run", "--standalone", "--max-restarts", "1", "--nproc-per-node", "2",
            "-m", "mien",
        ),
    )  # fmt: skip
    wait_until(lambda: (run / "checkpoints" / "last.ckpt").is_file(), seconds=120)
    os.kill(second_process(run), signal.SIGKILL)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert said.count("Training quick") == 2
    assert [row["epoch"] for row in Run(run).history()] == list(range(1, 41))


@pytest.mark.slow
def test_ctrl_c_stops_all_processes_at_one_step(layouts, tmp_path):
    run = tmp_path / "run"
    process = start(
        "quick", "--data", layouts["csv"], "--out", run, *SETTINGS, "--set", "train.epochs=400",
        "--devices", 2, "--device", "cpu",
    )  # fmt: skip
    wait_until(lambda: (run / "checkpoints" / "last.ckpt").is_file(), seconds=120)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == STOPPED
    assert said.rstrip().endswith(f"mien: stopped; resume with: mien train --resume {run}")
    assert Run(run).record.status == "interrupted"


@pytest.mark.slow
def test_two_machines_train_one_run(layouts, tmp_path, monkeypatch):
    monkeypatch.setitem(NO_LAUNCHER, "MASTER_ADDR", "127.0.0.1")
    monkeypatch.setitem(NO_LAUNCHER, "MASTER_PORT", "29417")
    run = tmp_path / "run"
    machines = [
        start("quick", "--data", layouts["csv"], "--out", run, *SETTINGS, "--nodes", 2)
        for _ in range(2)
    ]
    said = [machine.communicate(timeout=200)[1] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert sum(words.count("Training quick") for words in said) == 1
    assert Run(run).record.processes == 2


@pytest.fixture
def first_of_three(monkeypatch):
    """This process as the first one of three that torchrun has started."""
    stated = {
        "TORCHELASTIC_RUN_ID": "test", "RANK": "0", "WORLD_SIZE": "3", "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "3", "TORCHELASTIC_RESTART_COUNT": "0",
    }  # fmt: skip
    for name, value in stated.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.batch_size=32", "train.batch_size = 32: cannot be divided among 3 processes"),
        ("train.batch_size=3", "with two images or more for each: --set train.batch_size=6"),
        ("train.sync_batch_norm=true", "train.sync_batch_norm needs GPUs"),
    ],
)
def test_a_recipe_that_processes_cannot_share_makes_no_run(
    layouts, tmp_path, first_of_three, setting, message
):
    settings = [*TINY, "train.batch_size=33", setting]
    with pytest.raises(RecipeError, match=message):
        train("quick", layouts["csv"], tmp_path / "run", overrides=settings, device="cpu")
    assert not (tmp_path / "run").exists()


def test_several_machines_need_an_address(monkeypatch):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(MienError, match="--nodes 2: set MASTER_ADDR to the address of the first"):
        launch([], processes=1, nodes=2, device="cpu")


def test_the_place_is_what_torchrun_and_srun_state(monkeypatch):
    for name in [*os.environ]:
        if name.startswith(("SLURM", "TORCHELASTIC")):
            monkeypatch.delenv(name)
    assert find_place() == Place()
    stated = {
        "SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2", "SLURM_PROCID": "5",
        "SLURM_LOCALID": "1",
    }  # fmt: skip
    for name, value in stated.items():
        monkeypatch.setenv(name, value)
    place = find_place()
    assert (place.rank, place.size, place.local_rank, place.nodes) == (5, 8, 1, 2)
    monkeypatch.setenv("SLURM_STEP_NUM_NODES", "3")
    with pytest.raises(MienError, match="8 tasks on 3 nodes, expected as many tasks on each"):
        find_place()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with pytest.raises(MienError, match="environment of torchrun or srun is incomplete"):
        find_place()
