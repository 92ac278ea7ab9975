"""Frames and readings that the tests of sinks make for themselves."""

from __future__ import annotations

import cv2
import numpy as np

from mien.labels import FER2013
from mien.vision import Reader
from mien.vision.places import SourceFiles
from mien.vision.reading import Reading
from mien.vision.sinks.base import SinkContext
from mien.vision.sources.base import Frame, Source

READER = Reader(detector="none")
WIDTH, HEIGHT = 160, 120
SIZE = (WIDTH, HEIGHT)
NAME = "видео 写真, “a”.mp4"


def frame(index=0, seconds=None, source=NAME, shade=128, size=SIZE) -> Frame:
    return Frame(np.full((size[1], size[0], 3), shade, np.uint8), source, index, seconds)


def reading(of: Frame, track=1, box=(20, 40, 60, 80)) -> Reading:
    shares = np.linspace(0.02, 0.2657142857, 7).tolist()
    probabilities = dict(zip(FER2013.names, shares, strict=True))
    return Reading(
        of.source, box, 0.875, "neutral", probabilities, True, of.index, of.seconds, track
    )


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read_video(path) -> tuple[list[np.ndarray], float]:
    video = cv2.VideoCapture(str(path))
    pictures = []
    while (step := video.read())[0]:
        pictures.append(step[1])
    return pictures, video.get(cv2.CAP_PROP_FPS)


class Given(Source):
    """A source of frames that are in memory."""

    def __init__(self, kind="video", names=(NAME,), frames=()):
        super().__init__(names[0], kind, total=len(names) if kind == "photos" else None, fps=10)
        self.names = list(names)
        self._frames = frames

    def __iter__(self):
        yield from self._frames

    def close(self):
        pass


def context(source, reader=READER, **options) -> SinkContext:
    return SinkContext(source, reader, SourceFiles(source.names), **options)
