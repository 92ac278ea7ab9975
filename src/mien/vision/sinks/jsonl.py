"""A sink that writes readings as JSON Lines: a JSON object on each line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any, Self, TextIO

from mien.vision.reading import Reading
from mien.vision.sinks.base import SINKS, Sink, SinkContext
from mien.vision.sources.base import Frame
from mien.vision.target import AtomicTarget


@SINKS.register("jsonl")
class JsonlSink(Sink):
    """A line for each face: `Reading.as_dict` as JSON.

    Args:
        target: path of the file, which is replaced; or a text stream, which stays open.
        all_frames: whether frames without a face also have a line: the record of `no_face`.

    Raises:
        MienError: if the file cannot be written.
    """

    def __init__(self, target: str | Path | TextIO, *, all_frames: bool = False) -> None:
        super().__init__()
        self._all_frames = all_frames
        self._target: AtomicTarget | None = None
        if isinstance(target, str | Path):
            self._target = AtomicTarget(target)
            target = self._target.open_text()
        self._stream = target

    @classmethod
    def open(cls, target: str, context: SinkContext) -> Self:
        """Return a sink that writes the file `target` (see `Sink.open`)."""
        return cls(target, all_frames=context.all_frames)

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Add a line for each face (see `Sink.add`)."""
        records = [reading.as_dict() for reading in readings]
        if self._all_frames and not records:
            records = [no_face(frame)]
        with self._target.adding(frame) if self._target else nullcontext():
            # In ASCII: file names need not be UTF-8, and a stream need not accept more.
            self._stream.writelines(f"{json.dumps(record)}\n" for record in records)
            self._stream.flush()

    def close(self) -> None:
        """Give the file its name (see `Sink.close`)."""
        if self._target:
            self.saved += self._target.close()


def no_face(frame: Frame) -> dict[str, Any]:
    """Return the record of a frame without a face: the keys of a reading, null if unknown."""
    known = {
        "source": frame.source,
        "frame": frame.index,
        "seconds": frame.seconds,
        "item": frame.item,
    }
    return {field.name: known.get(field.name) for field in fields(Reading)}
