"""A training from the outside: what it leaves, what stops it, and how it goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import torch
from safetensors.torch import load_file
from tests.conftest import TINY

from mien.bundle.bundle import Bundle
from mien.data import load_dataset
from mien.errors import DataError, Interrupted, MienError, RecipeError, RunError
from mien.evaluation import Evaluation
from mien.recipes import load_recipe
from mien.runs.evaluations import evaluate
from mien.runs.membership import Membership
from mien.runs.run import Run
from mien.runs.test_log import count_measurements
from mien.training.export import export
from mien.training.kept import load_kept
from mien.training.listener import TrainingListener
from mien.training.train import continue_training, resume, train


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.weights_path)


def assert_same_weights(left: Run, right: Run) -> None:
    ours, theirs = weights(left), weights(right)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def test_a_run_holds_all_that_is_known(run):
    assert run.record.status == "finished"
    assert len(run.history()) == 2
    assert run.recipe.as_dict() == load_recipe("quick", TINY).as_dict()
    for path in (run.weights_path, run.bundle_path, run.last_checkpoint, run.kept_checkpoint):
        assert path.is_file()
    assert [path.name for path in run.path.rglob(".*")] == [".lock"]  # no temporary files
    assert list((run.path / "tensorboard").iterdir())


def test_bundle_evaluation_weights_and_history_agree(run):
    evaluation = Evaluation.load(run.evaluation_path("val"))
    assert Bundle(run.bundle_path).metadata.scores == (evaluation.summary(),)
    assert evaluation.protocol.chosen_on_split
    best = max(row["val_accuracy"] for row in run.history())
    assert evaluation.accuracy.value == pytest.approx(best, abs=1e-6)
    state = load_kept(run)[0].state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in weights(run).items())


def test_the_same_recipe_gives_the_same_weights(run, layouts, tmp_path):
    again = train("quick", layouts["parquet"], tmp_path / "again", overrides=TINY)
    assert_same_weights(run, again)


def test_the_seed_gives_other_weights(run, layouts, tmp_path):
    other = train("quick", layouts["csv"], tmp_path / "other", overrides=[*TINY, "train.seed=1"])
    ours, theirs = weights(run), weights(other)
    assert any(not torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


class StopAt(TrainingListener):
    """Sends this process a signal after a given step of a given epoch."""

    def __init__(self, epoch: int, batch: int, number: int = signal.SIGINT) -> None:
        self.at = (epoch, batch)
        self.number = number

    def stepped(self, epoch, batch, running_means):
        if (epoch, batch) == self.at:
            os.kill(os.getpid(), self.number)
            time.sleep(0.05)


VARIANTS = {
    "averaged, cosine": ["train.epochs=3"],
    "plateau, class weights": [
        "train.epochs=3", "train.schedule=plateau", "train.plateau_patience=1", "train.lr=0.02",
        "train.class_weights=balanced", "train.ema_decay=0", "train.monitor=val_loss",
    ],
    "adam, one cycle, everything random": [
        "train.epochs=3", "train.optimizer=adam", "train.schedule=one-cycle", "train.lr=0.003",
        "model.dropout=0.5", "model.conv_dropout=0.1", "augment.erasing=0.5",
        "augment.shear_degrees=5", "train.precision=fp32", "train.keep=last",
    ],
    "early stopping": ["train.epochs=6", "train.early_stopping_patience=1", "train.lr=1e-5"],
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_stopped_and_resumed_run_ends_in_the_same_weights(layouts, tmp_path, variant):
    overrides = [*TINY, *VARIANTS[variant]]
    whole = train("quick", layouts["csv"], tmp_path / "whole", overrides=overrides)
    path = tmp_path / "stopped"
    with pytest.raises(Interrupted, match="stopped after epoch 1"):
        train("quick", layouts["csv"], path, overrides=overrides, listener=StopAt(2, 3))
    resumed = resume(path)
    assert_same_weights(whole, resumed)
    assert resumed.record.status == "finished"
    scores = ("train_loss", "val_loss", "val_accuracy", "lr")
    for ours, theirs in zip(whole.history(), resumed.history(), strict=True):
        assert [ours[name] for name in scores] == [theirs[name] for name in scores]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_can_be_used(layouts, tmp_path, number):
    path = tmp_path / "run"
    with pytest.raises(Interrupted, match="mien train --resume"):
        train("quick", layouts["csv"], path, overrides=TINY, listener=StopAt(2, 1, number))
    run = Run(path)
    assert run.record.status == "interrupted"
    assert "epoch 1 of 2" in Bundle(run.bundle_path).metadata.checkpoint
    assert Evaluation.load(run.evaluation_path("val")).accuracy.value is not None


def test_a_run_stopped_in_its_first_epoch_says_that_there_is_nothing_yet(layouts, run, tmp_path):
    path = tmp_path / "run"
    with pytest.raises(Interrupted, match="before the first epoch ended"):
        train("quick", layouts["csv"], path, overrides=TINY, listener=StopAt(1, 1))
    with pytest.raises(RunError, match="no epoch has ended yet"):
        export(path)
    assert_same_weights(resume(path), run)


def test_training_works_outside_the_main_thread(layouts, tmp_path):
    """A notebook or a service may well do that; only the main thread gets signals."""
    done = []
    worker = threading.Thread(
        target=lambda: done.append(
            train("quick", layouts["csv"], tmp_path / "run", overrides=[*TINY, "train.epochs=1"])
        )
    )
    worker.start()
    worker.join()
    assert done[0].record.status == "finished"


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mien", "train", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


@pytest.mark.timeout(600)
def test_sigkill_at_any_moment_costs_an_epoch_at_most(layouts, tmp_path):
    """Kill while it starts, while it trains and while it finishes; then let it end."""
    settings = [word for setting in [*TINY, "train.epochs=6"] for word in ("--set", setting)]
    whole = train("quick", layouts["csv"], tmp_path / "whole", overrides=[*TINY, "train.epochs=6"])
    path = tmp_path / "killed"
    arguments = ["quick", "--data", layouts["csv"], "--out", path, *settings]
    moments = [
        lambda: (path / "run.json").is_file(),
        lambda: (path / "checkpoints" / "last.ckpt").is_file(),
        lambda: Path(path / "history.csv").read_text().count("\n") > 4,
        lambda: (path / "model.safetensors").is_file(),
    ]
    for reached in moments:
        process = start(*arguments)
        while not reached() and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.communicate()
        arguments = ["--resume", path]
    if Run(path).record.status != "finished":
        process = start(*arguments)
        _, err = process.communicate()
        assert process.returncode == 0, err
    assert_same_weights(whole, Run(path))
    assert Run(path).record.status == "finished"
    assert [p.name for p in path.rglob(".*")] == [".lock"]


def test_what_a_killed_run_exports_says_which_weights_these_are(layouts, tmp_path):
    """It is the checkpoint that knows: nothing else was written when the process died."""
    path = tmp_path / "run"
    overrides = [*TINY, "train.epochs=400"]
    with pytest.raises(Interrupted):
        train("quick", layouts["csv"], path, overrides=overrides, listener=StopAt(2, 1))
    old = Bundle(Run(path).bundle_path).metadata
    process = start("--resume", path)
    while Path(path / "history.csv").read_text().count("\n") < 6 and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert not Run(path).bundle_path.exists()  # it would be that of other weights
    assert not Run(path).evaluation_path("val").exists()
    metadata = export(path).metadata
    state = torch.load(Run(path).kept_checkpoint, weights_only=True)
    assert metadata.epoch == state["epoch"] + 1
    assert metadata.checkpoint.startswith(f"epoch {metadata.epoch} of 400")
    assert metadata.scores == ()
    assert old.scores != ()


def test_two_processes_cannot_train_the_same_run(layouts, tmp_path):
    run = stopped_run(layouts, tmp_path / "run")
    with run.locked():
        process = start("--resume", run.path)
        _, err = process.communicate()
    assert process.returncode == 2
    assert err == f"mien: {run.path}: is being trained by another process\n"
    assert resume(run.path).record.status == "finished"


class StopTwice(StopAt):
    """Sends a second signal while the first is being obeyed."""

    def stopping(self):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_second_ctrl_c_leaves_at_once_and_says_how_to_go_on(layouts, run, tmp_path):
    path = tmp_path / "run"
    with pytest.raises(Interrupted, match="stopped at once; resume with: mien train --resume"):
        train("quick", layouts["csv"], path, overrides=TINY, listener=StopTwice(2, 1))
    assert_same_weights(resume(path), run)


def test_the_history_has_the_rate_that_an_epoch_had(layouts, tmp_path):
    overrides = [*TINY, "train.schedule=plateau", "train.plateau_patience=1", "train.epochs=5",
                 "train.lr=0.1", "train.optimizer=adam", "train.plateau_factor=0.1"]  # fmt: skip
    run = train("quick", layouts["csv"], tmp_path / "run", overrides=overrides)
    rates = [row["lr"] for row in run.history()]
    assert rates[0] == 0.1
    losses = [row["val_loss"] for row in run.history()]
    best = losses.index(min(losses[:3]))
    assert rates[best + 1] == rates[best]  # an epoch that is the best so far changes nothing


def test_a_full_disk_is_said_and_the_run_can_go_on(layouts, run, tmp_path):
    path = tmp_path / "run"
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "from mien.cli.main import main; main()"
    )
    settings = [word for setting in TINY for word in ("--set", setting)]
    arguments = ["train", "quick", "--data", layouts["csv"], "--out", path, *settings]
    result = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "cannot be written (File too large)" in result.stderr.splitlines()[-1]
    assert_same_weights(resume(path), run)


def test_a_run_that_was_moved_goes_on(layouts, tmp_path):
    overrides = [*TINY, "train.epochs=3"]
    whole = train("quick", layouts["csv"], tmp_path / "whole", overrides=overrides)
    with pytest.raises(Interrupted):
        train("quick", layouts["csv"], tmp_path / "a", overrides=overrides, listener=StopAt(3, 1))
    data = tmp_path / "moved.csv"
    shutil.copy(layouts["csv"], data)
    (tmp_path / "a").rename(tmp_path / "b")
    resumed = resume(tmp_path / "b", data)
    assert_same_weights(whole, resumed)
    assert resumed.record.data.paths == (str(data),)


def stopped_run(layouts, path: Path) -> Run:
    with pytest.raises(Interrupted):
        train("quick", layouts["csv"], path, overrides=TINY, listener=StopAt(2, 1))
    return Run(path)


def test_what_cannot_be_resumed_is_said(layouts, run, tmp_path):
    with pytest.raises(RunError, match="has finished"):
        resume(run.path)
    with pytest.raises(RunError, match="no such run directory"):
        resume(tmp_path / "nowhere")
    with pytest.raises(RunError, match="not a run directory"):
        resume(tmp_path)
    stopped = stopped_run(layouts, tmp_path / "run")
    lines = layouts["csv"].read_text().splitlines()
    (tmp_path / "other.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(RunError, match="not the images, labels and splits"):
        resume(stopped.path, tmp_path / "other.csv")
    stopped.last_checkpoint.write_bytes(stopped.last_checkpoint.read_bytes()[:1000])
    with pytest.raises(RunError, match=r"last.ckpt: damaged"):
        resume(stopped.path)
    (stopped.path / "run.json").write_text('{"status": "finished"')
    with pytest.raises(RunError, match=r"run.json: damaged"):
        resume(stopped.path)


def test_a_run_that_was_edited_or_damaged_is_said(run, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(run.path, path)
    (path / "history.csv").write_bytes((path / "history.csv").read_text().encode("utf-16"))
    with pytest.raises(RunError, match=r"history\.csv: damaged"):
        Run(path).history()
    wider = load_recipe("quick", [*TINY, "model.channels=[12, 12]"])
    (path / "recipe.toml").write_text(tomli_w.dumps(wider.as_dict()))
    with pytest.raises(RunError, match=r"best\.ckpt: does not fit the network that recipe\.toml"):
        export(path)


def test_what_was_made_of_older_weights_goes_when_a_run_goes_on(layouts, tmp_path):
    run = stopped_run(layouts, tmp_path / "run")
    made = [run.int8_path, run.path / "report-test.html", run.path / "figures-test" / "roc.svg"]
    made[2].parent.mkdir()
    for path in made:
        path.write_text("of the first epoch")
    resume(run.path)
    assert not any(path.exists() for path in made)
    assert run.weights_path.is_file()


def test_what_cannot_be_trained_is_said_and_leaves_nothing(layouts, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(RecipeError, match="did you mean"):
        train("quick", layouts["csv"], out, overrides=["train.epoch=1"])
    with pytest.raises(DataError, match="no such file"):
        train("quick", tmp_path / "nowhere.csv", out)
    with pytest.raises(DataError, match="split 'val' has no images"):
        train("quick", layouts["csv"], out, overrides=["data.fractions=[1.0, 0.0, 0.0]"])
    with pytest.raises(RecipeError, match="need a recipe's name"):
        train(load_recipe("quick"), layouts["csv"], out, overrides=TINY)
    if not torch.cuda.is_available():
        with pytest.raises(MienError, match="no CUDA device"):
            train("quick", layouts["csv"], out, device="cuda")
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    with pytest.raises(RunError, match="exists already"):
        train("quick", layouts["csv"], out)


DIVERGING = ["train.schedule=constant", "train.precision=fp32"]


def test_a_training_that_diverges_says_where_and_what_helps(layouts, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(MienError) as caught:
        train("quick", layouts["csv"], run, overrides=[*TINY, *DIVERGING, "train.lr=1e30"])
    found = re.fullmatch(
        r"training diverged in epoch 1 \(step (\d), batch \1 of (\d)\): the loss is not finite\. "
        r"No epoch had ended, so nothing is kept\. Train anew with a lower learning rate: "
        r"--set train\.lr=0\.05",
        str(caught.value),
    )
    assert found
    assert 1 < int(found[1]) <= int(found[2])  # the first loss is that of the first weights


def test_a_training_that_diverges_late_names_the_last_good_checkpoint(layouts, tmp_path):
    path = tmp_path / "run"
    train("quick", layouts["csv"], path, overrides=[*TINY, "train.precision=fp32"])
    kept = (path / "checkpoints" / "last.ckpt").read_bytes()
    with pytest.raises(MienError, match=r"diverged in epoch 3 .* of epoch 2 .*: mien export .*run"):
        continue_training(path, ["train.epochs=4", "train.lr=1e30", "train.schedule=cosine"])
    assert (path / "checkpoints" / "last.ckpt").read_bytes() == kept
    assert export(path).predict(np.zeros((1, 48, 48), np.uint8))[0].shape == (1, 7)


def test_what_was_left_out_is_listed(layouts, tmp_path):
    data = tmp_path / "bad.csv"
    data.write_text(layouts["csv"].read_text() + "3,1 2,Training\n")
    run = train("quick", data, tmp_path / "run", overrides=[*TINY, "train.epochs=1"], skip_bad=True)
    assert run.record.data.skipped == 1
    assert "row 281 has 2 pixels" in run.skipped_path.read_text()
    assert Evaluation.load(run.evaluation_path("val")).protocol.skipped == 1


def test_a_run_records_its_membership_from_its_start(layouts, faces, tmp_path):
    path = tmp_path / "run"
    with pytest.raises(Interrupted, match="before the first epoch ended"):
        train("quick", layouts["csv"], path, overrides=TINY, listener=StopAt(1, 1))
    known = Membership.load(path).known_among(faces.images)
    assert (known.trained_on == (faces.splits == "train")).all()
    assert (known.chosen_by == (faces.splits == "val")).all()


def test_the_test_set_log_stays_when_a_run_is_resumed(layouts, faces, tmp_path):
    run = stopped_run(layouts, tmp_path / "run")
    evaluate(run.path, layouts["csv"], "test")
    (run.path / "membership.npz").unlink()  # as older versions left it
    resume(run.path)
    assert count_measurements(run.path) == 1
    assert Membership.load(run.path).known_among(faces.train.images).trained_on.all()


def test_splits_made_afresh_are_the_runs_own(layouts, tmp_path):
    overrides = [*TINY, "train.epochs=1", "data.fractions=[0.6, 0.2, 0.2]", "data.seed=4"]
    run = train("quick", layouts["csv"], tmp_path / "run", overrides=overrides)
    expected = load_dataset(layouts["csv"], fractions=(0.6, 0.2, 0.2), seed=4)
    assert run.record.data.fingerprint == expected.fingerprint
    assert json.loads((run.path / "run.json").read_text())["data"]["split_counts"]["val"] == 56
