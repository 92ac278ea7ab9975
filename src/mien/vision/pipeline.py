"""Steps of a pipeline in threads, with results in order and a bounded amount of memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")

CHUNK_FRAMES: Final = 16
MAX_PIXELS: Final = CHUNK_FRAMES * 1920 * 1080  # of a chunk, and of the items ahead of a step


@dataclass(frozen=True)
class Step(Generic[T, S]):
    """A function that is applied to each item by threads, some items ahead of the caller.

    Args:
        function: function to apply.
        pixels: function that returns the size of an item, in pixels.
        workers: number of threads.
        ahead: largest number of items that are in progress, or whose results wait, at a time; fewer
            if they have more than `MAX_PIXELS` together. 0 applies the function in the caller's
            thread, when the result is requested.
    """

    function: Callable[[T], S]
    pixels: Callable[[T], int]
    workers: int
    ahead: int

    def apply(self, items: Iterable[T]) -> Iterator[S]:
        """Yield the result of each item, in the order of the items."""
        if not self.ahead:
            yield from map(self.function, items)
            return
        pending: deque[tuple[int, Future[S]]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="mien-read") as pool:
            try:
                for item in items:
                    pending.append((self.pixels(item), pool.submit(self.function, item)))
                    del item  # it would hold its picture while the next one is decoded
                    while len(pending) > self.ahead or _total(pending) > MAX_PIXELS:
                        yield pending.popleft()[1].result()
                while pending:
                    yield pending.popleft()[1].result()
            finally:
                for _, future in pending:  # the iteration was left early
                    future.cancel()


def chunked(items: Iterable[T], size: int, pixels: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield lists of at most `size` items, shorter if the items have `MAX_PIXELS` together."""
    chunk: list[T] = []
    chunk_pixels = 0
    for item in items:
        chunk.append(item)
        chunk_pixels += pixels(item)
        if len(chunk) == size or chunk_pixels >= MAX_PIXELS:
            yield chunk
            chunk, chunk_pixels = [], 0
    if chunk:
        yield chunk


def _total(pending: Iterable[tuple[int, Future[S]]]) -> int:
    return sum(pixels for pixels, _ in pending)
