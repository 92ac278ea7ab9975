"""The sink that writes the timeline page of a video.

It is here because its page is written by this package, which may import `mien.vision.sinks`, the
package of the other sinks, but not the other way round. Matplotlib is not imported before a sink is
created.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from mien.errors import MienError
from mien.vision.reading import Reading
from mien.vision.sinks.base import SINKS, Sink, SinkContext
from mien.vision.sources.base import Frame
from mien.vision.target import AtomicTarget
from mien.vision.timeline import Timeline


@SINKS.register("timeline")
class TimelineSink(Sink):
    """A page on who showed which expression when, written once the video has ended.

    Args:
        path: path of the page, which is replaced.
        name: display name of the video.

    Raises:
        MienError: if the page cannot be written.
        ModuleNotFoundError: if a package that writes the page is not installed.
    """

    def __init__(self, path: str | Path, *, name: str = "the sources") -> None:
        super().__init__()
        # Imported now: a missing package is reported before an hour of video is read.
        from mien.reports.timeline import write_timeline

        self._timeline = Timeline()
        self._target = AtomicTarget(path)
        self._target.before_renaming(
            lambda: write_timeline(self._timeline, name, self._target.temporary)
        )

    @classmethod
    def open(cls, target: str, context: SinkContext) -> Self:
        """Return a sink that writes the page `target` (see `Sink.open`)."""
        if context.source.kind == "photos":
            raise MienError(f"{target}: photos have no timeline, expected a video or a camera")
        return cls(target, name=context.source.name or "the sources")

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Add up the readings of a frame; photos are ignored (see `Sink.add`)."""
        if frame.seconds is not None:
            with self._target.adding(frame):
                self._timeline.add(frame, readings)

    def close(self) -> None:
        """Write the page (see `Sink.close`)."""
        self.saved += self._target.close()
