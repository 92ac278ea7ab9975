"""Kills, full disks, read-only disks and clocks that jump; each in a process of its own.

`make test` has a short version of each; `make slow` kills every command 100 times.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from tests.crash.operations import OPERATIONS

ROOT = Path(__file__).parents[2]
KILLS = 100
DISKS = 10
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
slow = [pytest.mark.slow, pytest.mark.timeout(3600)]


def chosen(*in_short: str) -> list[object]:
    """Return all operations; those that are not in the short version are marked as slow."""
    return [
        pytest.param(name, marks=[] if name in in_short else slow, id=name) for name in OPERATIONS
    ]


def run(module: str, *arguments: object, before: tuple[str, ...] = (), **variables: str) -> dict:
    environment = {**os.environ, **variables}
    result = subprocess.run(
        [*before, sys.executable, "-m", f"tests.crash.{module}", *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert result.returncode == 0, f"{result.stdout[-2000:]}{result.stderr[-6000:]}"
    return json.loads(result.stdout.splitlines()[-1])


@cache
def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = 'mount -t tmpfs -o size=4k tmpfs "$1"'
    command = [*NAMESPACE, "sh", "-c", probe, "sh", str(ROOT / "tests")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def need_mounts() -> None:
    if not can_mount():
        pytest.skip("this system lets nobody mount a file system in a user namespace")


@pytest.mark.parametrize("name", chosen())
def test_a_hundred_kills_leave_nothing_broken(name, tmp_path):
    done = run("kills", name, "--kills", KILLS, "--folder", tmp_path)
    assert done["kills"] == KILLS
    assert done["finished"]  # one at least came to its end


def test_a_few_kills_leave_nothing_broken(tmp_path):
    done = run("kills", "clean", "--kills", 5, "--folder", tmp_path)
    assert done["kills"] == 5


@pytest.mark.parametrize("name", chosen())
def test_full_disks_are_said_and_more_space_is_enough_to_go_on(name, tmp_path):
    need_mounts()
    done = run("disks", name, "--disks", DISKS, "--folder", tmp_path, before=(*NAMESPACE,))
    assert done["full"] > 0 or name == "cache"  # without its cache, mien only takes longer


def test_a_few_full_disks_are_said(tmp_path):
    need_mounts()
    done = run("disks", "clean", "--disks", 2, "--folder", tmp_path, before=(*NAMESPACE,))
    assert done["full"] > 0


@pytest.mark.parametrize("name", chosen("split"))
def test_a_read_only_disk_is_said_and_nothing_changes_on_it(name, tmp_path):
    need_mounts()
    done = run("disks", name, "--disks", 0, "--folder", tmp_path, before=(*NAMESPACE,))
    assert done["refused"] == (name != "cache")


@pytest.mark.parametrize("name", chosen("split"))
def test_clocks_that_jump_change_no_result(name, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and a Linux, for a clock of its own")
    library = tmp_path / "clock.so"
    source = Path(__file__).parent / "clock.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    done = run("clocks", name, "--clock", library, "--folder", tmp_path)
    assert done["jumps"]
