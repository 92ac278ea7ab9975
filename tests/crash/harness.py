"""Run a command of mien in a forked process, and kill it at a moment of choice.

The process that forks has imported everything and opened nothing, so that a command starts in
milliseconds. A command is killed after some seconds, or just before it opens a file for writing,
renames or removes one for the n-th time, which is where a wrong order of writes would show.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TRACEBACK = 99  # exit code of a forked process that raised an exception
KILLED = -signal.SIGKILL
_WRITES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree"}
_PATIENCE_S = 180.0


@dataclass(frozen=True)
class Moment:
    """When a process is killed: after some seconds, or before its n-th change of a file."""

    seconds: float = 0.0
    change: int = 0


@dataclass(frozen=True)
class Ended:
    """How a forked process ended: its exit code or minus its signal, seconds, and its output."""

    code: int
    seconds: float
    said: str
    changes: int = 0


def fork(work: Callable[[], None], folder: Path, moment: Moment | None = None) -> Ended:
    """Run a function in a forked process, with its output in a file, and say how it ended."""
    output, counted = folder / "output.txt", folder / "changes.txt"
    counted.unlink(missing_ok=True)
    start = time.monotonic()
    if (pid := os.fork()) == 0:
        code = TRACEBACK
        try:
            os.setsid()
            handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            changes = _Changes(moment.change if moment else 0)
            sys.addaudithook(changes)
            code = _code_of(work)
            changes.armed = False
            counted.write_text(str(changes.count))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    until = start + (moment.seconds if moment and moment.seconds else _PATIENCE_S)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() >= until:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            break
        time.sleep(0.001)
    seconds = time.monotonic() - start
    code = os.waitstatus_to_exitcode(status)
    assert code != KILLED or moment, f"not done after {_PATIENCE_S:g} s"
    count = int(counted.read_text()) if counted.is_file() else 0
    return Ended(code, seconds, output.read_text("utf-8", errors="replace"), count)


def command(arguments: Sequence[str | Path]) -> Callable[[], None]:
    """Return the function that runs the command line with these arguments."""

    def run() -> None:
        from mien.cli.main import main

        sys.argv = ["mien", *map(str, arguments)]
        main()

    return run


class _Changes:
    """Count the changes of files, and kill this process before the n-th."""

    def __init__(self, kill_at: int) -> None:
        self.count, self.kill_at, self.armed = 0, kill_at, True

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.armed or not (event in _WRITES or _opens_to_write(event, arguments)):
            return
        self.count += 1
        if self.count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def _opens_to_write(event: str, arguments: tuple[object, ...]) -> bool:
    if event != "open":
        return False
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _code_of(work: Callable[[], None]) -> int:
    try:
        work()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return TRACEBACK
    return 0
