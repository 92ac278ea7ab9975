"""A study that several processes share: each trial once, and again if its process is lost."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from mien.errors import MienError, RunError
from mien.sweeps.folder import SplitScore, SweepRecord, Trial
from mien.sweeps.load import load_sweep
from mien.sweeps.source import Shared
from mien.sweeps.status import status_table
from mien.sweeps.study import Study, opened

LOST_S = 1.0
RATES = (0.01, 0.02, 0.03, 0.04)


def record(**changes: object) -> SweepRecord:
    sweep = load_sweep("quick", grid=[f"train.lr={','.join(map(str, RATES))}"])
    values = {
        "sweep": sweep, "paths": ("d",), "fingerprint": "f", "skip_bad": False, "study": "quick",
    } | changes  # fmt: skip
    return SweepRecord(**values)


def finished(trial: Trial, accuracy: float = 0.5, status: str = "finished") -> Trial:
    scores = {"val": SplitScore(loss=1.0, accuracy=accuracy)}
    return trial.model_copy(update={"status": status, "scores": scores})


@pytest.fixture(params=["journal", "postgresql"])
def storage(request, tmp_path):
    """The address of a storage: a file, or a database of PostgreSQL where that is installed."""
    if request.param == "journal":
        return f"journal:{tmp_path / 'study.log'}"
    return request.getfixturevalue("database")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server of PostgreSQL, started for the tests."""
    pytest.importorskip("psycopg")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("needs PostgreSQL")
    # It refuses to run as root, and another user has to reach its folder.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path("/tmp") / f"mien-postgres-{os.getpid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    control = [*as_user, programs[-1] / "pg_ctl", "-D", folder / "data", "-w"]
    try:
        subprocess.run(
            [*as_user, programs[-1] / "initdb", "-D", folder / "data", "-A", "trust", "-U", "me"],
            **quiet,
        )
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        subprocess.run([*control, "-o", options, "-l", folder / "log", "start"], **quiet)
        yield f"postgresql://me@127.0.0.1:{port}"
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(server, request):
    import psycopg

    name = f"test{abs(hash(request.node.nodeid))}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture
def study(storage):
    """A function that opens the study, each time as another process would."""
    with ExitStack() as stack:

        def join(name: str = "", *, lost_s: float = 60, prune: bool = False, **changes: object):
            found = stack.enter_context(opened(storage))
            return Study(found, Shared(storage, name, prune, lost_s), record(**changes))

        yield join


def test_each_point_of_a_grid_is_taken_once(storage, study):
    ours, theirs = study(), study()
    taken = [one.take() for one in (ours, theirs, theirs, ours)]
    assert sorted(trial.settings["train.lr"] for trial in taken) == list(RATES)
    assert len({trial.number for trial in taken}) == 4
    assert (ours.take(), theirs.take()) == (None, None)
    assert ours.others_running()
    for one, trial in zip((ours, theirs, theirs, ours), taken, strict=True):
        one.tell(finished(trial))
    assert not ours.others_running()
    table = status_table(storage)
    assert {row[1] for row in table.rows} == {"finished"}
    assert {row[-1] for row in table.rows} == {f"train.lr={rate:g}" for rate in RATES}


WORKER = """
    import sys, time
    from tests.sweeps.test_study import LOST_S, finished, record
    from mien.sweeps.source import Shared
    from mien.sweeps.study import Study, opened

    with opened(sys.argv[1]) as storage:
        study = Study(storage, Shared(sys.argv[1], lost_s=LOST_S), record())
        while study.others_running():
            if trial := study.take():
                print(trial.number, trial.settings["train.lr"], flush=True)
                for _ in range(int(sys.argv[2])):
                    study.watch({trial.number: []})
                    time.sleep(0.05)
                study.tell(finished(trial))
            time.sleep(0.05)
"""


def test_the_trial_of_a_killed_process_is_trained_by_another(storage, study):
    study()

    def start(steps: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", textwrap.dedent(WORKER), storage, str(steps)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    doomed = start(10_000)
    number, rate = doomed.stdout.readline().split()
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate()
    out, _ = start(2).communicate(timeout=60)
    trained = dict(line.split() for line in out.splitlines())
    assert sorted(map(float, trained.values())) == list(RATES)
    assert trained[str(len(RATES))] == rate  # under a new number
    assert number not in trained
    lost = next(row for row in status_table(storage).rows if row[0] == number)
    assert lost[1] == "failed"


def test_a_process_that_stops_gives_its_trials_back_at_once(study):
    ours, theirs = study(), study()
    taken = [ours.take() for _ in RATES]
    assert theirs.take() is None
    ours.give_back()
    again = [theirs.take() for _ in RATES]
    assert [one.settings for one in again] == [one.settings for one in taken]


def test_a_trial_is_not_tried_for_ever(study):
    for _ in range(4):
        one = study()
        assert sum(one.take() is not None for _ in range(5)) == 4
        one.give_back()
    last = study()
    assert last.take() is None
    assert not last.others_running()


def test_a_result_that_comes_after_the_trial_was_given_away_does_not_count(storage, study):
    slow, other = study(lost_s=0.2), study(lost_s=0.2)
    trial = slow.take()
    other.take()  # notes the sign of life
    time.sleep(0.4)
    numbers = [other.take().number for _ in range(2)]
    assert other.take().settings == trial.settings
    slow.tell(finished(trial, 0.9))
    for row in status_table(storage).rows:
        assert row[1] == ("failed" if row[0] == str(trial.number) else "running")
    assert trial.number not in numbers


def test_a_search_is_drawn_by_all_of_them(study):
    sweep = load_sweep("quick", search=["train.lr=0.001..0.1:log"], trials=5)
    studies = [study(sweep=sweep) for _ in range(2)]
    rates = []
    for turn in range(5):
        trial = studies[turn % 2].take()
        rates.append(trial.settings["train.lr"])
        studies[turn % 2].tell(finished(trial, 1 - rates[-1]))
    assert all(one.take() is None for one in studies)
    assert len(set(rates)) == 5
    assert all(0.001 <= rate <= 0.1 for rate in rates)


def test_a_trial_that_falls_behind_is_stopped_early(storage, study):
    one = study(prune=True)
    good = [{"epoch": epoch, "val_accuracy": 0.6} for epoch in range(1, 9)]
    bad = [{"epoch": epoch, "val_accuracy": 0.2} for epoch in range(1, 9)]
    for _ in range(3):
        trial = one.take()
        for epochs in range(1, 9):
            assert one.watch({trial.number: good[:epochs]}) == []
        one.tell(finished(trial))
    trial = one.take()
    stopped = [one.watch({trial.number: bad[:epochs]}) for epochs in range(1, 9)]
    assert [trial.number] in stopped
    one.tell(finished(trial, 0.2, "pruned"))
    assert [row[1] for row in status_table(storage).rows] == [
        "finished", "finished", "finished", "pruned",
    ]  # fmt: skip


def test_a_study_of_another_sweep_or_other_data_is_refused(storage, study):
    study()
    with pytest.raises(RunError, match="study quick: was started with another data set"):
        study(fingerprint="other")
    other = load_sweep("quick", grid=["train.lr=0.5"])
    with pytest.raises(RunError, match="study quick: was started with another sweep"):
        study(sweep=other)
    study("second", sweep=other)
    with pytest.raises(RunError, match="several studies; name one with --study: quick, second"):
        status_table(storage)
    with pytest.raises(RunError, match="study secnd: there is none of that name"):
        status_table(storage, "secnd")


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("redis://here", "expected journal:PATH of a file, or the address of a database"),
        ("journal:", "expected journal:PATH of a file"),
        ("journal:/nowhere/at/all/log", "/nowhere/at/all is no folder; make it first"),
        ("postgresql://me:secret@127.0.0.1:1/x", "postgresql://me@127.0.0.1:1/x: not reached"),
    ],
)
def test_a_storage_that_cannot_be_is_one_line_without_the_password(storage, message):
    if storage.startswith("postgresql"):
        pytest.importorskip("psycopg")
    with pytest.raises(MienError, match=message) as error, opened(storage):
        pass
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
