"""No library reports to its vendor: a process that reads a photo is watched by strace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien.io.private import SWITCHES, without_telemetry

READS = """
import sys, time
import mien
from mien.vision.sample import sample_photo
reader = mien.Reader(detector="haar")
assert reader.read(sample_photo())
time.sleep(float(sys.argv[1]))
"""
LOOKS_UP = """
import socket
try:
    socket.create_connection(("203.0.113.1", 9), timeout=0.1)
except OSError:
    pass
"""
# Every address of a process: connections, and what is sent without one, such as look-ups.
ADDRESS = re.compile(r"AF_INET6?, .*")


def addresses(code: str, home: Path, *arguments: str) -> list[str]:
    """Return the internet addresses that a Python program and its children go to."""
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("the watched process needs strace")
    trace = home / "trace"
    watch = [strace, "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(trace)]
    if subprocess.run([*watch, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not watch processes here")
    hidden = {"ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    command = [*watch, sys.executable, "-c", code, *arguments]
    ran = subprocess.run(
        command, env={**kept, **places}, cwd=home, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ADDRESS.findall(trace.read_text(errors="replace"))


def test_a_connection_is_seen(tmp_path):
    assert any("203.0.113.1" in address for address in addresses(LOOKS_UP, tmp_path))


@pytest.mark.slow
def test_a_process_that_reads_a_photo_goes_nowhere_for_30_seconds(tmp_path):
    assert addresses(READS, tmp_path, "30") == []
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "trace"]
    assert left == []  # no device id in the user's cache


def test_a_process_that_reads_a_photo_goes_nowhere_and_leaves_no_device_id(tmp_path):
    assert addresses(READS, tmp_path, "0") == []
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "trace"]
    assert left == []


def test_the_switches_are_set_for_the_import_alone(monkeypatch):
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")  # the user's choice
    before = dict(os.environ)
    with without_telemetry():
        assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
        assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"
    assert dict(os.environ) == before


@pytest.mark.parametrize("library", ["onnxruntime", "huggingface_hub"])
def test_every_import_of_a_library_that_reports_is_switched_off(library):
    """Only modules of mien that use `without_telemetry` import it first."""
    source = Path(__file__).parents[2] / "src" / "mien"
    imports = re.compile(rf"^\s*(?:import|from) {library}\b", re.MULTILINE)
    found = [path for path in source.rglob("*.py") if imports.search(path.read_text("utf-8"))]
    assert found
    for path in found:
        text = path.read_text("utf-8")
        switched = "with without_telemetry():" in text or "import mien.bundle.runtime" in text
        assert switched, f"{path} imports {library} with its telemetry"
    assert SWITCHES
