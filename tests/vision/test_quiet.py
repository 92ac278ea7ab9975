from __future__ import annotations

import os
import subprocess
import sys

from mien.vision.quiet import quiet_video

LEVEL = "OPENCV_FFMPEG_LOGLEVEL"


def test_the_level_holds_while_any_thread_is_inside_and_is_restored(monkeypatch):
    monkeypatch.delenv(LEVEL, raising=False)
    with quiet_video():
        with quiet_video():
            assert os.environ[LEVEL] == "-8"
        assert os.environ[LEVEL] == "-8"
    assert LEVEL not in os.environ


def test_the_users_own_level_stays(monkeypatch):
    monkeypatch.setenv(LEVEL, "48")
    with quiet_video():
        assert os.environ[LEVEL] == "48"
    assert os.environ[LEVEL] == "48"


def test_a_bad_video_is_opened_quietly_and_nothing_is_left_behind(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("I am text")
    program = f"""
import os
from mien.errors import SourceError
from mien.vision.sources import open_source
try:
    open_source({str(path)!r})
except SourceError:
    print({LEVEL!r} in os.environ)
"""
    # In a process of its own: FFmpeg keeps the level with which it was started.
    environment = {name: value for name, value in os.environ.items() if name != LEVEL}
    result = subprocess.run(
        [sys.executable, "-c", program],
        check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert (result.stdout, result.stderr) == ("False\n", "")


def test_importing_the_reader_changes_neither_environment_nor_signals():
    program = """
import os
import signal
import cv2  # which changes LD_LIBRARY_PATH itself

def state():
    level = (getattr(cv2, "getLogLevel", None) or cv2.utils.logging.getLogLevel)()
    return dict(os.environ), signal.getsignal(signal.SIGINT), os.umask(0o022), level

os.umask(0o022)
before = state()
import mien.cli.outputs, mien.sinks, mien.vision.detectors.base, mien.vision.reader
mien.sinks.SINKS.all()
mien.vision.sources.SOURCES.all()
mien.vision.detectors.base.DETECTORS.all()
assert state() == before
"""
    result = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
