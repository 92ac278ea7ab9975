"""Read the parts of a job in processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from mien.batch.plan import Part
from mien.batch.table import Counts
from mien.batch.worker import Job, StoppedError, Worker
from mien.errors import MienError
from mien.vision.sources.base import Stop

_POLL_S: Final = 0.2
_MOST_ENDS: Final = 30  # of processes in a row, without a finished part in between

_worker: Worker | MienError | None = None  # of this process


def read_locally(
    job: Job, parts: Sequence[Part], *, workers: int, stop: Stop
) -> Iterator[tuple[Part, Counts]]:
    """Read parts in processes; yield each with its counts once its file is there.

    A process that ends, such as by too little memory, is replaced, and its part is read again.

    Args:
        job: job of the parts.
        parts: parts to read.
        workers: number of processes.
        stop: condition that ends the work; parts that are under way are then given up.

    Raises:
        MienError: if a result cannot be written, or the processes keep on ending.
    """
    waiting = list(reversed(parts))
    ends = 0
    while waiting:
        done = 0
        for part, counts in _read_in_pool(job, waiting, workers, stop):
            done += 1
            yield part, counts
        if stop():
            return
        ends = 1 if done else ends + 1
        if waiting and ends >= _MOST_ENDS:
            raise MienError(
                f"{waiting[-1].paths[0]}: the processes that read it and others ended {ends} times "
                "in a row; is there too little memory? Try fewer --workers, and --resume"
            )


def _read_in_pool(
    job: Job, waiting: list[Part], workers: int, stop: Stop
) -> Iterator[tuple[Part, Counts]]:
    """Read parts until all are read or a process ends; the others stay in `waiting`."""
    context = multiprocessing.get_context("spawn")
    # Without a lock: a process that is killed while it holds one would stop all others.
    flag = context.RawValue("b", 0)
    pool = ProcessPoolExecutor(workers, context, initializer=_start, initargs=(job, flag, sys.path))
    running: dict[Future[Counts | MienError | None], Part] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                part = waiting.pop()
                with _no_main_module():
                    running[pool.submit(_read, part)] = part
            for future in wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED).done:
                counts = future.result()
                if isinstance(counts, MienError):
                    raise counts
                part = running.pop(future)
                if counts is not None:
                    yield part, counts
            if stop():
                return
    except BrokenProcessPool:
        pass  # a process ended; the caller starts others
    finally:
        waiting += running.values()
        flag.value = 1
        pool.shutdown(cancel_futures=True)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep the processes that start in this block from running the caller's script once more."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start(job: Job, flag: Any, path: list[str]) -> None:
    """Prepare a process: it ignores Ctrl-C, which its parent handles, and ends with its parent."""
    global _worker
    sys.path[:] = path
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _worker = Worker(job, lambda: bool(flag.value))
    except MienError as error:  # told when a part is read: here it would end the process
        _worker = error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _read(part: Part) -> Counts | MienError | None:
    """Return the counts of a part; None if the job was stopped."""
    if isinstance(_worker, MienError):
        return _worker
    assert _worker is not None
    try:
        return _worker.read(part)
    except StoppedError:
        return None
    except MienError as error:
        return error
