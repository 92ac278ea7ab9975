"""Micro-batching: the faces of all requests of the same moment share one call of the network."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final, NamedTuple

import numpy as np

from mien.service.problems import Problem
from mien.types import Images, Probabilities

MAX_BATCH: Final = 64  # faces; larger batches are no faster


class _Job(NamedTuple):
    """The crops of one request, and the promise of their probabilities."""

    crops: Images
    answer: Future[Probabilities]


class Batcher:
    """One thread that calls the network with whatever crops wait at the moment.

    It never waits for more: while one call runs, the crops of the next one gather.

    Args:
        predict: function that returns the probabilities of crops.
        most_waiting: largest number of jobs that wait.
        observe: function that is told the number of faces of each call.

    Shape of `predict`: uint8 (N, *crop.shape) -> float32 (N, classes).
    """

    def __init__(
        self,
        predict: Callable[[Images], Probabilities],
        *,
        most_waiting: int,
        observe: Callable[[int], None],
    ) -> None:
        self._predict, self._observe = predict, observe
        self._jobs: queue.Queue[_Job | None] = queue.Queue(most_waiting)
        self._thread = threading.Thread(target=self._work, name="mien-batches", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether crops that are submitted are answered."""
        return self._thread.is_alive()

    def submit(self, crops: Images) -> Future[Probabilities]:
        """Return the promise of the probabilities of crops.

        Raises:
            Problem: if as many jobs wait as may.
        """
        answer: Future[Probabilities] = Future()
        try:
            self._jobs.put_nowait(_Job(crops, answer))
        except queue.Full:
            raise Problem("busy", "too many faces wait for the network; try again") from None
        return answer

    def close(self) -> None:
        """Answer what was submitted, and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs, goes_on = self._gather(first)
            self._answer([job for job in jobs if job.answer.set_running_or_notify_cancel()])
            if not goes_on:
                return

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        """Return the jobs of one call, and whether the thread goes on after it."""
        jobs, faces = [first], len(first.crops)
        while faces < MAX_BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, False
            jobs.append(job)
            faces += len(job.crops)
        return jobs, True

    def _answer(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        try:
            crops = np.concatenate([job.crops for job in jobs])
            self._observe(len(crops))
            rows = self._predict(crops)
        except Exception as error:  # of the network; each request tells it
            for job in jobs:
                job.answer.set_exception(error)
            return
        start = 0
        for job in jobs:
            job.answer.set_result(rows[start : start + len(job.crops)])
            start += len(job.crops)


class Admission:
    """Bounds the requests in progress, and the memory that their bodies take.

    It belongs to one event loop, and needs no lock.

    Args:
        most: largest number of requests.
        most_bytes: largest size of all bodies; one request is taken whatever its size.
    """

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self.requests = self.bytes = 0

    @contextmanager
    def admit(self, size: int) -> Iterator[None]:
        """Hold a place for a request in this block.

        Args:
            size: largest size of its body, in bytes.

        Raises:
            Problem: if there is no place.
        """
        if self.requests >= self._most or (self.requests and self.bytes + size > self._most_bytes):
            raise Problem("busy", "too many requests are in progress; try again in a moment")
        self.requests += 1
        self.bytes += size
        try:
            yield
        finally:
            self.requests -= 1
            self.bytes -= size
