"""Sweeps from the outside: trials in their own processes, failures, Ctrl-C, kills, searches."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import torch
from safetensors.torch import load_file
from tests.conftest import TINY
from tests.waiting import wait_until

from mien.data import FaceDataset
from mien.data.write import write_dataset
from mien.errors import Interrupted, MienError, RunError
from mien.io.files import locked_file
from mien.runs.run import Run
from mien.sweeps.folder import SweepFolder, SweepRecord, Trial
from mien.sweeps.load import load_sweep
from mien.sweeps.processes import TrialProcesses
from mien.sweeps.results import chosen, results_table, write_results
from mien.sweeps.runner import SweepListener, resume_sweep, start_sweep
from mien.sweeps.search import suggest
from mien.sweeps.source import TrialSource
from mien.sweeps.trial import run_trial
from mien.training.train import train

SHARED = [*TINY, "train.epochs=1"]
STATUSES = ["finished", "finished", "failed"]  # of the trials of `swept`


@pytest.fixture(scope="module")
def swept(layouts, tmp_path_factory):
    """Three trials, two at a time; the one with the absurd learning rate diverges."""
    sweep = load_sweep("quick", grid=["train.lr=0.01,0.02,1e30"], overrides=SHARED)
    return start_sweep(sweep, layouts["csv"], tmp_path_factory.mktemp("sweeps") / "grid", jobs=2)


def test_a_failed_trial_is_recorded_and_the_others_go_on(swept):
    trials = swept.trials()
    assert swept.record.started_in == str(Path.cwd())
    assert [trial.status for trial in trials] == STATUSES
    assert "training diverged in epoch 1" in trials[2].error
    for trial in trials[:2]:
        assert Run(swept.run_path(trial.number)).record.status == "finished"
        assert set(trial.scores) == {"train", "val"}  # no look at test unless it is asked for
        assert trial.macs is not None


def test_the_choice_is_by_val(swept):
    finished = [trial for trial in swept.trials() if trial.status == "finished"]
    best = max(trial.scores["val"].accuracy for trial in finished)
    assert chosen(swept.trials()).scores["val"].accuracy == best
    assert chosen([]) is None


def test_table_csv_and_page_hold_every_trial(swept):
    table = results_table(swept)
    assert table.columns[:2] == ("trial", "lr")
    assert len(table.rows) == 3
    assert "failed" in table.rows[2]
    page = write_results(swept)
    with (swept.path / "sweep.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["status"] for row in rows] == STATUSES
    for row, trial in zip(rows[:2], swept.trials()[:2], strict=True):
        assert float(row["val_accuracy"]) == trial.scores["val"].accuracy
        assert row["test_accuracy"] == ""
        assert int(row["macs"]) == trial.macs
    html = page.read_text()
    assert html.count("<svg") == 3  # parallel coordinates and two curves: all cost the same
    assert "training diverged" in html
    for row in table.rows:
        assert all(cell in html for cell in row)


def test_a_trial_is_the_run_that_train_would_make(swept, layouts, tmp_path):
    alone = train(
        "quick", layouts["csv"], tmp_path / "alone",
        overrides=[*SHARED, "train.lr=0.01"],
    )  # fmt: skip
    ours, theirs = load_file(alone.weights_path), load_file(swept.run_path(0) / "model.safetensors")
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def new_folder(sweep, data, path, **changes) -> SweepFolder:
    """Return the directory of a sweep whose trials a test runs in its own process."""
    record = SweepRecord(sweep=sweep, paths=(str(data),), fingerprint="", skip_bad=False, **changes)
    return SweepFolder.create(path, record)


def test_a_test_split_that_the_run_knows_is_left_out(faces, tmp_path, capsys):
    images = faces.images.copy()
    (test,) = np.nonzero(faces.splits == "test")
    images[test] = faces.train.images[: len(test)]
    write_dataset(
        FaceDataset(images, faces.labels, faces.splits, faces.ids), tmp_path / "leaked.csv", "csv"
    )
    sweep = load_sweep("quick", grid=["train.lr=0.01"], overrides=SHARED)
    folder = new_folder(sweep, tmp_path / "leaked.csv", tmp_path / "sweep")
    trial = run_trial(folder, folder.trial(0))
    assert trial.status == "finished"
    assert set(trial.scores) == {"train", "val"}
    assert "its test split cannot test" in capsys.readouterr().out  # which goes to its log


def test_what_has_ended_is_not_run_again(swept, tmp_path):
    shutil.copytree(swept.path, tmp_path / "sweep")
    (tmp_path / "sweep" / "trials" / ".002.json.ab12cd34.json").write_text("{")  # of a kill
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*.json"))]
    resume_sweep(tmp_path / "sweep")
    assert before == [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*.json"))]


def test_a_sweep_that_exists_is_not_overwritten(swept, layouts):
    with pytest.raises(RunError, match=r"exists already; .* mien sweep --resume"):
        start_sweep(swept.record.sweep, layouts["csv"], swept.path)


def test_a_process_that_dies_is_a_failed_trial(swept, layouts, tmp_path):
    sweep = load_sweep("quick", grid=["train.lr=0.01,0.02"], overrides=[*TINY, "train.epochs=500"])

    class KillFirst(SweepListener):
        def running(self, histories):
            if histories.get(0):
                for pid in trial_processes(tmp_path / "sweep", 0):
                    os.kill(pid, signal.SIGKILL)
            if histories.get(1):
                raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        start_sweep(sweep, layouts["csv"], tmp_path / "sweep", listener=KillFirst())
    first, second = SweepFolder(tmp_path / "sweep").trials()
    assert (first.status, second.status) == ("failed", "stopped")
    assert first.error.startswith("killed by signal 9")


def trial_processes(sweep, number) -> list[int]:
    """Return the processes that run a trial."""
    wanted = f"mien.sweeps.trial {sweep} {number}"
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            command = path.read_bytes().replace(b"\0", b" ").decode().strip()
            found += [int(path.parent.name)] if command.endswith(wanted) else []
    return found


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_sweep_goes_on_to_the_same_weights(layouts, tmp_path, number):
    """The command is stopped while its trial trains; resumed, it ends as if it never had been."""
    settings = [word for setting in TINY for word in ("--set", setting)]
    out = tmp_path / "sweep"
    command = [
        sys.executable, "-m", "mien", "sweep", "quick", "--grid", "train.lr=0.01,0.02",
        "--data", str(layouts["csv"]), "--out", str(out), *settings, "--set", "train.epochs=3",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        history = out / "trials" / "000" / "history.csv"
        wait_until(lambda: history.is_file())
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "resume: mien sweep --resume" in said
        assert (out / "sweep.html").is_file()
    else:  # its trial goes on alone; until it has ended, the sweep cannot be resumed
        with pytest.raises(RunError, match="trial 0 still runs in a process of its own; wait"):
            resume_sweep(out)
        wait_until(lambda: is_free(SweepFolder(out).lock_path(0)))
    resumed = resume_sweep(out)
    assert [trial.status for trial in resumed.trials()] == ["finished", "finished"]
    straight = train(
        "quick", layouts["csv"], tmp_path / "straight",
        overrides=[*TINY, "train.epochs=3", "train.lr=0.01"],
    )  # fmt: skip
    ours = load_file(straight.weights_path)
    theirs = load_file(resumed.run_path(0) / "model.safetensors")
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def is_free(lock) -> bool:
    try:
        with locked_file(lock):
            return True
    except BlockingIOError:
        return False


def test_a_search_is_drawn_from_its_ranges_and_resumes_alike(layouts, tmp_path):
    sweep = load_sweep(
        "quick",
        search=["train.lr=1e-3..1e-1:log", "model.channels=[4],[8,8]", "train.batch_size=16..64"],
        overrides=["train.epochs=1"],
        trials=2,
    )
    folder = start_sweep(sweep, layouts["csv"], tmp_path / "search", jobs=2)
    trials = folder.trials()
    assert [trial.status for trial in trials] == ["finished"] * 2
    for trial in trials:
        assert 1e-3 <= trial.settings["train.lr"] <= 1e-1
        assert trial.settings["model.channels"] in ([4], [8, 8])
        assert isinstance(trial.settings["train.batch_size"], int)
    assert len({trial.settings["train.lr"] for trial in trials}) == 2
    # the draw depends only on the seed and the trials before
    first = trials[0].restarted()  # it was running when the second was drawn
    assert suggest(folder.record.sweep, [first]) == trials[1].settings
    write_results(folder)


def test_failed_trials_begin_anew_when_asked_to(swept, tmp_path):
    shutil.copytree(swept.path, tmp_path / "sweep")
    again = resume_sweep(tmp_path / "sweep", retry_failed=True)
    assert [trial.status for trial in again.trials()] == STATUSES
    written = [
        [(folder.path / "trials" / f"00{number}.json").stat().st_mtime for number in (0, 2)]
        for folder in (swept, again)
    ]
    assert written[1][0] == written[0][0]
    assert written[1][1] > written[0][1]


def test_data_without_a_test_split_is_swept_as_well(faces, tmp_path):
    kept = faces.take(np.nonzero(faces.splits != "test")[0])
    write_dataset(kept, tmp_path / "faces.csv", "csv")
    sweep = load_sweep("quick", grid=["model.stages=1"], overrides=SHARED)
    folder = new_folder(sweep, tmp_path / "faces.csv", tmp_path / "sweep")
    folder.save(run_trial(folder, folder.trial(0)))
    assert set(folder.trial(0).scores) == {"train", "val"}
    assert "val acc" in results_table(folder).columns
    assert "The highest validation accuracy" in write_results(folder).read_text()


def test_training_and_grids_need_no_optuna():
    code = (
        "import sys; sys.modules['optuna'] = None; "
        "import mien.cli.progress, mien.cli.sweep_progress, mien.sweeps.results, mien.sweeps.trial"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: (path / "sweep.json").unlink(), "not a sweep directory"),
        (lambda path: (path / "sweep.json").write_text("{"), r"sweep\.json: damaged"),
        (lambda path: (path / "trials" / "001.json").write_text("{}"), r"001\.json: damaged"),
        (lambda path: (path / "trials" / "001.json").unlink(), r"001\.json: missing"),
        (lambda path: (path / "trials" / "002.json").unlink(), r"002\.json: missing"),
    ],
)
def test_a_damaged_sweep_is_refused(swept, tmp_path, damage, said):
    shutil.copytree(swept.path, tmp_path / "sweep")
    damage(tmp_path / "sweep")
    with pytest.raises(RunError, match=said):
        resume_sweep(tmp_path / "sweep")


def test_other_data_is_refused(swept, layouts, tmp_path):
    shutil.copytree(swept.path, tmp_path / "sweep")
    text = layouts["csv"].read_text().splitlines()
    (tmp_path / "less.csv").write_text("\n".join(text[:-9]) + "\n")
    record = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    record["paths"] = [str(tmp_path / "less.csv")]
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"less\.csv: not the data set that .* was started with"):
        resume_sweep(tmp_path / "sweep")


class Clock(SweepListener):
    """Time stands still until trial 0 has trained longer than before, and then is over."""

    def __init__(self, epochs: int = 0) -> None:
        self.epochs = epochs
        self.now = 0.0
        self.ended_trials: list[Trial] = []
        self.said: list[str] = []

    def running(self, histories):
        if len(histories.get(0, [])) > self.epochs:
            self.now = 1e9

    def trial_ended(self, trial):
        self.ended_trials.append(trial)

    def out_of_time(self, message):
        self.said.append(message)


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    """Three variants that train far longer than any test waits."""
    path = tmp_path_factory.mktemp("variants") / "three.toml"
    path.write_text(
        'recipe = "quick"\n[set]\ntrain.epochs = 5000\n[variants.baseline]\n'
        "[variants.slow]\ntrain.lr = 1e-4\n[variants.shallow]\nmodel.stages = 2\n"
    )
    return path


@pytest.fixture(scope="module")
def cut_off(variants, layouts, tmp_path_factory):
    """A sweep whose time budget ends while its first variant trains; and what it said."""
    clock, out = Clock(), tmp_path_factory.mktemp("sweeps") / "cut-off"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mien.sweeps.runner.monotonic", lambda: clock.now)
        sweep = load_sweep(variants, overrides=TINY[1:])
        folder = start_sweep(
            sweep, layouts["csv"], out, device="cpu", minutes=1, splits=("val",), listener=clock
        )
    return folder, clock


def test_a_spent_budget_stops_what_runs_and_starts_nothing(cut_off):
    folder, clock = cut_off
    first, *others = folder.trials()
    assert (first.name, first.status) == ("baseline", "stopped")
    assert [(trial.name, trial.status) for trial in others] == [
        ("slow", "open"),
        ("shallow", "open"),
    ]
    assert set(first.scores) == {"val"}
    assert first.epochs == len(Run(folder.run_path(0)).history()) >= 1
    assert first.seconds > 0
    assert not folder.run_path(1).exists()
    assert clock.ended_trials == [first]
    assert clock.said == [
        "the time budget (1 min) ended the sweep: 3 of 3 trials unfinished (trial 0 "
        "(baseline), trial 1 (slow), trial 2 (shallow)); resume: mien sweep --resume "
        f"{folder.path}"
    ]


def test_a_stopped_trial_leaves_a_whole_run(cut_off):
    folder, _ = cut_off
    run = Run(folder.run_path(0))
    assert (run.record.status, run.record.device) == ("interrupted", "cpu")
    assert run.weights_path.is_file()
    assert run.bundle_path.is_file()
    assert not run.evaluation_path("test").exists()


def test_variants_and_stopped_trials_are_shown_as_such(cut_off, tmp_path):
    shutil.copytree(cut_off[0].path, tmp_path / "sweep")
    folder = SweepFolder(tmp_path / "sweep")
    table = results_table(folder)
    assert table.columns == ("trial", "variant", "lr", "stages", "val loss", "val acc", "MACs")
    assert table.rows[0][:4] == ("0* stopped", "baseline", "0.05", "–")
    assert table.rows[1][:6] == ("1", "slow", "0.0001", "–", "open", "")
    assert f"Trial 0 (baseline) was stopped after {folder.trial(0).epochs} epochs." in table.note
    html = write_results(folder).read_text()
    assert html.count("<svg") == 3
    assert "0 of 3 trials" in html
    assert "1 were stopped early" in html
    assert "was reached with baseline" in html
    with (folder.path / "sweep.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["variant"] for row in rows] == ["baseline", "slow", "shallow"]
    assert [row["status"] for row in rows] == ["stopped", "open", "open"]
    assert [row["train.lr"] for row in rows] == ["0.05", "0.0001", "0.05"]
    assert [row["model.stages"] for row in rows] == ["", "", "2"]


def test_a_stopped_trial_keeps_its_scores_until_there_are_others(cut_off, tmp_path):
    shutil.copytree(cut_off[0].path, tmp_path / "sweep")
    folder = SweepFolder(tmp_path / "sweep")
    before = folder.trial(0)
    assert TrialSource(folder).next(TrialProcesses(folder, 1)) == before
    assert folder.trial(0) == before  # whatever stops the next try before its first epoch


def test_a_resumed_sweep_goes_on_with_stopped_trials(cut_off, tmp_path, monkeypatch):
    shutil.copytree(cut_off[0].path, tmp_path / "sweep")
    before = cut_off[0].trial(0)
    clock = Clock(before.epochs)
    monkeypatch.setattr("mien.sweeps.runner.monotonic", lambda: clock.now)
    resumed = resume_sweep(tmp_path / "sweep", minutes=1, listener=clock)
    after = resumed.trial(0)
    assert (after.name, after.status) == ("baseline", "stopped")
    assert after.epochs > before.epochs
    assert after.seconds > before.seconds


def test_the_command_ends_well_when_its_time_is_over(mien, variants, layouts, tmp_path):
    out = tmp_path / "sweep"
    outcome = mien(
        "sweep", variants, "--data", layouts["csv"], "--out", out, "--minutes", "0.0001"
    )  # fmt: skip
    assert outcome.code == 0
    assert "budget (0.0001 min) ended the sweep: 3 of 3 trials unfinished" in outcome.err
    assert f"resume: mien sweep --resume {out}" in outcome.err
    assert (out / "sweep.csv").is_file()
    for options in (["--device", "cpu"], ["--grid", "train.lr=1"]):
        assert mien("sweep", "--resume", out, *options).code == 2


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_a_budget_of_no_time_is_refused(variants, layouts, tmp_path, minutes):
    with pytest.raises(RunError, match="expected more than 0"):
        start_sweep(load_sweep(variants), layouts["csv"], tmp_path / "sweep", minutes=minutes)


def test_mistakes_in_a_sweep_are_reported_before_it_starts(variants, layouts, tmp_path):
    sweep = load_sweep(variants)
    with pytest.raises(RunError, match="splits test: expected val"):
        start_sweep(sweep, layouts["csv"], tmp_path / "sweep", splits=("test",))
    if not torch.cuda.is_available():
        with pytest.raises(MienError, match="no CUDA device here"):
            start_sweep(sweep, layouts["csv"], tmp_path / "sweep", device="cuda")
    assert not (tmp_path / "sweep").exists()


def test_a_sweep_of_an_older_version_goes_on(swept, tmp_path):
    shutil.copytree(swept.path, tmp_path / "sweep")
    path = tmp_path / "sweep" / "sweep.json"
    record = json.loads(path.read_text())
    del record["device"], record["splits"], record["sweep"]["variants"]
    path.write_text(json.dumps(record))
    for path in (tmp_path / "sweep" / "trials").glob("*.json"):
        trial = json.loads(path.read_text())
        del trial["name"]
        path.write_text(json.dumps(trial))
    resumed = resume_sweep(tmp_path / "sweep")
    assert [trial.status for trial in resumed.trials()] == STATUSES
    assert results_table(resumed).rows == results_table(swept).rows


def test_paths_in_its_settings_lead_from_where_it_was_started(run, layouts, tmp_path, monkeypatch):
    """As if it had been stopped between a trial's training and its result, and moved to resume."""
    teacher = f'distill.teachers=["{run.path.name}"]'
    sweep = load_sweep("quick", grid=["train.seed=0"], overrides=[*TINY, teacher])
    folder = new_folder(sweep, layouts["csv"], tmp_path / "sweep", started_in=str(run.path.parent))
    (trial,) = folder.trials()
    shutil.copytree(run.path, folder.run_path(0))
    trained = run.recipe.as_dict() | {"distill": {"teachers": [str(run.path.resolve())]}}
    (folder.run_path(0) / "recipe.toml").write_text(tomli_w.dumps(trained))
    monkeypatch.chdir(tmp_path)
    assert run_trial(folder, trial).status == "finished"
