"""A batch job on Ray: the same rows, also after a kill."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.batch.made import (
    descendants,
    is_running,
    items_of,
    parts_in,
    rows_of,
    start_job,
    write_photos,
)
from tests.waiting import wait_until

from mien.batch import BatchSettings, run_batch
from mien.batch.cluster import check_cluster
from mien.errors import MienError

pytest.importorskip("ray", reason="not installed: pip install 'mien[cluster]'")

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def job_of(tmp_path: Path, pictures: int):
    """Return a job's arguments, its results' folder, and an environment for Ray's token."""
    source, out = write_photos(tmp_path / "in", pictures), tmp_path / "out"
    arguments = [source, "--out", out, "--crops", "--model", "mien-xs", "--part", 4]
    return [*arguments, "--engine", "ray", "--workers", 2], out, {"HOME": str(tmp_path)}


def actors_of(process) -> list[int]:
    lines = descendants(process.pid)
    return [pid for pid, line in lines.items() if line.startswith("ray::") and "_Actor" in line]


def wait_for_parts(process, out: Path, count: int) -> None:
    wait_until(lambda: parts_in(out) >= count or process.poll() is not None, seconds=120)
    assert process.poll() is None, process.communicate()


def check_rows(process, out: Path, pictures: int) -> None:
    said = process.communicate(timeout=400)
    assert process.returncode == 0, said
    rows = rows_of(out)
    assert len(rows) == len(items_of(rows)) == pictures
    assert not any(row["error"] for row in rows)


@needs_proc
def test_no_picture_is_lost_after_the_kill_of_an_actor_and_of_the_driver(tmp_path):
    arguments, out, environment = job_of(tmp_path, 320)
    process = start_job(*arguments, **environment)
    wait_for_parts(process, out, 1)
    first = actors_of(process)
    os.kill(first[0], signal.SIGKILL)
    # Ray starts another actor in its place.
    wait_until(lambda: set(actors_of(process)) - set(first) or process.poll() is not None)
    wait_for_parts(process, out, parts_in(out) + 1)
    actors = actors_of(process)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(is_running, actors)), seconds=60)
    times = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
    assert len(times) < 80
    process = start_job(*arguments, "--resume", **environment)
    check_rows(process, out, 320)
    assert {path: path.stat().st_mtime_ns for path in times} == times


@needs_proc
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_ten_kills_at_random_moments_lose_nothing(tmp_path):
    """Of actors, of drivers and of node processes, in turn."""
    arguments, out, environment = job_of(tmp_path, 2400)
    moments = random.Random(0)
    process = start_job(*arguments, **environment)
    for kill in range(10):
        wait_for_parts(process, out, parts_in(out) + 1)
        time.sleep(moments.uniform(0, 0.5))
        below = descendants(process.pid)
        nodes = [pid for pid, line in below.items() if line.split(" ")[0].endswith("/raylet")]
        victims = [actors_of(process), [process.pid], nodes][kill % 3]
        assert process.poll() is None, "the job ended before the last kill"
        os.kill(moments.choice(victims), signal.SIGKILL)
        if kill % 3 == 0:
            continue  # Ray replaces an actor
        process.kill()
        process.communicate()
        for pid in filter(is_running, below):  # Ray's agents outlive a node that is killed
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process = start_job(*arguments, "--resume", **environment)
    check_rows(process, out, 2400)


@pytest.mark.slow
def test_a_client_drives_a_cluster_that_imports_the_mien_of_the_client(tmp_path):
    """By ray://, with actors that have no mien of their own to import."""
    ports = [_free_port(), _free_port()]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    head = [
        *(*ray, "start", "--head", "--block", "--num-cpus=2", "--include-dashboard=false"),
        *(f"--port={ports[0]}", f"--ray-client-server-port={ports[1]}"),
        *("--min-worker-port=0", "--max-worker-port=0"),
    ]
    address = f"ray://127.0.0.1:{ports[1]}"
    source = write_photos(tmp_path / "in", 40)
    cluster = subprocess.Popen(
        head, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: _answers(ports[1]), seconds=60)
        arguments = [source, "--out", tmp_path / "out", "--crops", "--address", address]
        process = start_job(*arguments, HOME=str(tmp_path), RAY_AUTH_MODE="disabled")
        said = process.communicate(timeout=200)
        assert process.returncode == 0, said
        assert len(rows_of(tmp_path / "out")) == 40
    finally:
        cluster.terminate()
        cluster.wait(60)


def test_an_address_where_nothing_answers_is_one_line_and_leaves_nothing(tmp_path):
    source = write_photos(tmp_path / "in", 8)
    port = _free_port()
    with pytest.raises(MienError, match=rf"ray://127.0.0.1:{port}: no Ray cluster answers there"):
        run_batch(
            [source],
            tmp_path / "out",
            BatchSettings(detector="none"),
            engine="ray",
            address=f"ray://127.0.0.1:{port}",
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["nowhere", "ray://", "host:port", "ray://host:99999"])
def test_an_address_that_is_none_is_one_line(address):
    with pytest.raises(MienError, match="expected the address of a Ray cluster, such as ray://"):
        check_cluster(address)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
