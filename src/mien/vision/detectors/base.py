"""The contract of face detectors, their registry, and the choice of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from mien.errors import MienError, nearest
from mien.registry import Registry
from mien.types import Image
from mien.vision.reading import Box

# Larger photos are shrunk to this side for detection: its time grows with the area. A detector may
# search them at further scales; frames of a video have a smaller side, for they come fast.
LONGEST_SIDE_PX: Final = 1280
# Frames of a video are shrunk to half their size, within these bounds: faces are found from about
# 20 px on, and are cropped from the whole frame.
_VIDEO_SIDES_PX: Final = (320, 640)

AUTO: Final = "auto"
_BEST_FIRST: Final = ("yunet", "haar")  # the detectors that `auto` tries


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Args:
        box: left, top, right and bottom edge of the face, in pixels of the picture.
        score: confidence of the detector, 0 to 1; comparable within one detector only.
        tilt_degrees: clockwise angle of the line through the eyes; 0 if the detector does not
            locate eyes.
    """

    box: Box
    score: float
    tilt_degrees: float = 0.0


class Detector(ABC):
    """Finds the faces in pictures; an instance is used by one thread only.

    Attributes:
        name: name by which the detector is registered in `DETECTORS` and chosen.
    """

    name: ClassVar[str]

    @abstractmethod
    def detect(self, image: Image, *, longest_side_px: int = LONGEST_SIDE_PX) -> list[Face]:
        """Return the faces in a picture, the largest first.

        Args:
            image: pixels of the picture.
            longest_side_px: side to which a larger picture is shrunk before it is searched.

        Shape: image uint8 (height, width, 3), blue-green-red, or gray (height, width).
        """

    @classmethod
    def prepare(cls, model: str | Path | None = None) -> Callable[[], Detector]:
        """Return a function that creates an instance, for one thread each.

        A detector that needs a file overrides this, to find or download it once.

        Args:
            model: path of the detector's own file; None for the default.

        Raises:
            MienError: if the detector has no file of its own, or the file is missing or wrong.
        """
        if model is not None:
            raise MienError(
                f"detector {cls.name} takes no detector model; leave out one of the two"
            )
        return cls

    @classmethod
    def prepare_if_available(cls, model: str | Path | None = None) -> Callable[[], Detector] | None:
        """Return the result of `prepare`; None if ``auto`` has to try the next detector instead.

        Raises:
            MienError: if `model` is missing or wrong.
        """
        return cls.prepare(model)

    @classmethod
    def missing_note(cls) -> str:
        """Return instructions for making the detector available to ``auto``."""
        return ""


DETECTORS: Final[Registry[type[Detector]]] = Registry(
    "detector", group="mien.detectors", package="mien.vision.detectors", base=Detector
)


@dataclass(frozen=True)
class Choice:
    """The detector of a reader.

    Args:
        name: name of the detector.
        build: function that creates an instance, for one thread each.
        note: instructions for getting a better detector; empty if there is none.
    """

    name: str
    build: Callable[[], Detector]
    note: str = ""


def choose_detector(name: str = AUTO, model: str | Path | None = None) -> Choice:
    """Return the detector of that name, ready for use.

    Args:
        name: name of a detector in `DETECTORS`, or ``auto`` for YuNet if its file is available,
            else Haar.
        model: path of the detector's own file; None for the default.

    Raises:
        MienError: if there is no such detector, or its file is missing, wrong or out of reach.
    """
    if name != AUTO and name not in DETECTORS:
        names = (AUTO, *DETECTORS.names())
        raise MienError(f"detector {name!r}{nearest(name, names)}: expected {', '.join(names)}")
    if name != AUTO:
        return Choice(name, DETECTORS[name].prepare(model))
    note = ""
    for candidate in map(DETECTORS.__getitem__, _BEST_FIRST):
        if build := candidate.prepare_if_available(model):
            return Choice(candidate.name, build, note)
        note = note or candidate.missing_note()
    raise AssertionError("Haar is always available")


def video_side_px(image: Image) -> int:
    """Return the side to which a frame of a video is shrunk before it is searched, in pixels."""
    lowest, highest = _VIDEO_SIDES_PX
    return min(max(lowest, int(max(image.shape[:2])) // 2), highest)
