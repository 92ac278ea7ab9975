"""Several sources as one; those that fail are left out.

Photos and videos are opened one after another. Cameras and streams, which have no end, are read at
the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final, Protocol, cast

from mien.errors import SourceError
from mien.vision.sources._opening import Opening, Part
from mien.vision.sources.base import Frame, Kind, Source

_WAIT_S: Final = 0.2  # the stop condition is checked between waits


class Polled(Protocol):
    """What cameras and streams have beyond a `Source`: they can be asked without waiting.

    Attributes:
        news: condition that is notified of each frame and of the end; set it before `start`.
    """

    news: threading.Condition

    @property
    def has_ended(self) -> bool:
        """Return whether no more frames will come."""

    def start(self) -> None:
        """Begin to read frames in a thread."""

    def poll(self) -> Frame | None:
        """Return the newest frame, once; None if none came since the last call."""


class SeveralSources(Source):
    """Several sources, each opened when its turn comes.

    Args:
        name: folder or pattern that they come from; an empty string for a list.
        parts: specs of the sources, their openers and their items.
        opening: settings with which each is opened.
    """

    def __init__(self, name: str, parts: Sequence[Part], opening: Opening) -> None:
        kinds = {part.kind for part in parts}
        kind: Kind = "live" if "live" in kinds else "video" if "video" in kinds else "photos"
        super().__init__(name, kind, total=len(parts) if kind == "photos" else None)
        self.names = [part.name for part in parts]
        self._parts = parts
        self._opening = opening
        self._is_closed = False
        self._open: list[Source] = []

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames of each source; an error of one is added to ``failures``."""
        self.failures.clear()
        self._is_closed = False
        with ExitStack() as stack:
            live: list[tuple[Part, Source]] = []
            for part in self._parts:
                if self._is_over():
                    return
                try:
                    source = self._opening.open_part(part)
                    stack.callback(source.close)
                    self._open.append(source)
                    self._refuse_other_kind(source)
                    if hasattr(source, "poll"):
                        live.append((part, source))
                    else:
                        yield from self._frames(part, source)
                except SourceError as error:
                    self._fail(part, error)
            yield from self._live_frames(live)

    def close(self) -> None:
        """End the iteration and close the sources that are being read."""
        self._is_closed = True
        while self._open:
            self._open.pop().close()

    def _refuse_other_kind(self, source: Source) -> None:
        if self.kind == "photos" and source.kind != "photos":
            raise SourceError(
                f"{source.name}: a video or a stream with the name of a photo; open it separately"
            )

    def _is_over(self) -> bool:
        return self._is_closed or self._opening.stop()

    def _fail(self, part: Part, error: SourceError) -> None:
        has_name = part.name or part.spec is error  # an error names its own source
        failure = SourceError(f"{error}" if has_name else f"item {part.item:,}: {error}")
        failure.item = part.item
        self.failures.append(failure)

    def _frames(self, part: Part, source: Source) -> Iterator[Frame]:
        """Yield the frames of a source that has an end, and close it."""
        with source:
            if self._is_closed:  # by another thread, while the source was being opened
                return
            try:
                for frame in source:
                    yield self._named(part, frame)
            finally:
                self._close(part, source)

    def _live_frames(self, live: Sequence[tuple[Part, Source]]) -> Iterator[Frame]:
        """Yield the newest frames of cameras and streams in turn, until all have ended."""
        news = threading.Condition()
        for _, source in live:
            polled = cast(Polled, source)
            polled.news = news
            polled.start()
        waiting = list(live)
        while waiting and not self._is_over():
            with news:  # no frame comes between the two questions
                frames = [cast(Polled, source).poll() for _, source in waiting]
                ended = [cast(Polled, source).has_ended for _, source in waiting]
                if not any(ended) and all(frame is None for frame in frames):
                    news.wait(_WAIT_S)
            for (part, source), frame, has_ended in zip(list(waiting), frames, ended, strict=True):
                if frame is not None:
                    yield self._named(part, frame)
                elif has_ended:
                    waiting.remove((part, source))
                    self._close(part, source)
        for one in waiting:
            self._close(*one)

    def _close(self, part: Part, source: Source) -> None:
        source.close()
        if source in self._open:
            self._open.remove(source)
        for failure in source.failures:
            self._fail(part, failure)
        self.notes += [note for note in source.notes if note not in self.notes]
        self.dropped += source.dropped

    def _named(self, part: Part, frame: Frame) -> Frame:
        """Return a frame with its item, and a name if it has none."""
        return replace(frame, item=part.item, source=frame.source or f"item {part.item}")
