"""Sinks, the public destinations of readings: files, folders and windows.

    import mien

    reader = mien.Reader()
    with mien.sinks.CsvSink("faces.csv") as sink:
        for frame, readings in reader.stream("clip.mp4"):
            sink.add(frame, readings)

To write a new sink, subclass `Sink`, and write its file through an `AtomicTarget`. With an entry
point of the group ``mien.sinks`` it is also used by ``mien predict --sink NAME=PATH``. Names are
imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mien.lazy import lazy_names

if TYPE_CHECKING:
    from mien.reports.timeline_sink import TimelineSink
    from mien.vision.sinks.base import SINKS, Sink, SinkContext
    from mien.vision.sinks.crops import CropsSink
    from mien.vision.sinks.csv import CsvSink
    from mien.vision.sinks.jsonl import JsonlSink
    from mien.vision.sinks.photo import PhotoSink
    from mien.vision.sinks.video import VideoSink
    from mien.vision.sinks.window import WindowSink
    from mien.vision.target import AtomicTarget

_MODULES: Final = {
    "SINKS": "mien.vision.sinks.base",
    "AtomicTarget": "mien.vision.target",
    "CropsSink": "mien.vision.sinks.crops",
    "CsvSink": "mien.vision.sinks.csv",
    "JsonlSink": "mien.vision.sinks.jsonl",
    "PhotoSink": "mien.vision.sinks.photo",
    "Sink": "mien.vision.sinks.base",
    "SinkContext": "mien.vision.sinks.base",
    "TimelineSink": "mien.reports.timeline_sink",
    "VideoSink": "mien.vision.sinks.video",
    "WindowSink": "mien.vision.sinks.window",
}

__all__ = [
    "SINKS",
    "AtomicTarget",
    "CropsSink",
    "CsvSink",
    "JsonlSink",
    "PhotoSink",
    "Sink",
    "SinkContext",
    "TimelineSink",
    "VideoSink",
    "WindowSink",
]

__getattr__ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return list(__all__)
