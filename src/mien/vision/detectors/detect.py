"""Where the faces are in a picture, by YuNet or by OpenCV's Haar cascade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np

from mien.errors import MienError
from mien.types import Image
from mien.vision.reading import Box

# Larger pictures are shrunk to this for detection: its time grows with the area, and a face that
# disappears at this size has too few pixels to be read.
LONGEST_SIDE_PX: Final = 1280
# Of a video's frames half is enough, within these: what is read has 48 px, and faces are found from
# a dozen or two on.
_VIDEO_SIDES_PX: Final = (320, 640)

_SMALLEST_FACE: Final = 1 / 30  # of the shorter side
_SCALE_STEP: Final = 1.1
_LEAST_NEIGHBOURS: Final = 6  # overlapping hits that make a face; fewer let in textures
_HALF_SCORE_MARGIN: Final = 3.0

_LEAST_SCORE: Final = 0.7  # of re-detected FER-2013 faces 19 in 20 have 0.79 or more
_MOST_OVERLAP: Final = 0.3  # of two boxes, beyond which they are one face; OpenCV's own default
_MOST_FACES: Final = 5000


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Args:
        box: left, top, right, bottom, in pixels of the picture.
        score: how sure the detector is, 0 to 1; comparable within one detector only.
        tilt_degrees: how far the line through the eyes is turned clockwise from level; 0 where the
            detector does not know the eyes.
    """

    box: Box
    score: float
    tilt_degrees: float = 0.0


class Detector(Protocol):
    """Finds faces; one instance belongs to one thread."""

    name: str

    def detect(self, image: Image, *, longest_side_px: int = LONGEST_SIDE_PX) -> list[Face]:
        """Return the faces in a picture, the largest first.

        Args:
            image: the picture.
            longest_side_px: to which a larger picture is shrunk before it is searched.

        Shape: image uint8 (height, width, 3), blue-green-red, or gray (height, width).
        """
        ...


def video_side_px(image: Image) -> int:
    """Return the side to which a frame of a video is shrunk before it is searched."""
    least, most = _VIDEO_SIDES_PX
    return min(max(least, int(max(image.shape[:2])) // 2), most)


class YuNetDetector:
    """YuNet: finds small, turned and partly covered faces, and their eyes.

    Args:
        path: of ``face_detection_yunet_2023mar.onnx`` (see `mien.vision.detectors.yunet_file`).

    Raises:
        MienError: if OpenCV cannot load it.

    Source: Wu et al., YuNet: A Tiny Millisecond-level Face Detector, 2023; weights MIT.
    """

    name = "yunet"

    def __init__(self, path: Path) -> None:
        try:
            self._network = cv2.FaceDetectorYN.create(
                str(path), "", (320, 320), _LEAST_SCORE, _MOST_OVERLAP, _MOST_FACES
            )
        except cv2.error:
            raise MienError(
                f"{path}: OpenCV {cv2.__version__} cannot load it as YuNet; is it "
                "face_detection_yunet_2023mar.onnx, whole?"
            ) from None

    def detect(self, image: Image, *, longest_side_px: int = LONGEST_SIDE_PX) -> list[Face]:
        """Return the faces in a picture, the largest first (see `Detector`)."""
        colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        height, width = colour.shape[:2]
        shrunk, scale = _shrink(np.asarray(colour, np.uint8), longest_side_px)
        self._network.setInputSize((shrunk.shape[1], shrunk.shape[0]))
        _, rows = self._network.detect(shrunk)
        if rows is None:
            return []
        faces = []
        for row in rows:  # x, y, width, height, five points of which two are eyes, score
            right_eye, left_eye = row[4:6], row[6:8]  # the person's own right is on the left
            across, down = left_eye - right_eye
            box = _to_picture(row[:4], scale, width, height)
            if _area(box) > 0:
                tilt = float(np.degrees(np.arctan2(down, across)))
                faces.append(Face(box, min(float(row[14]), 1.0), tilt))
        return _largest_first(faces)


class HaarDetector:
    """OpenCV's frontal-face cascade, which comes inside OpenCV: nothing has to be downloaded.

    Source: Viola and Jones, Rapid Object Detection using a Boosted Cascade of Simple Features,
    2001; the trained cascade is Rainer Lienhart's.
    """

    name = "haar"

    def __init__(self) -> None:
        path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            raise MienError(f"{path}: OpenCV came without its cascade; reinstall opencv")

    def detect(self, image: Image, *, longest_side_px: int = LONGEST_SIDE_PX) -> list[Face]:
        """Return the faces in a picture, the largest first (see `Detector`)."""
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
        height, width = gray.shape
        gray, scale = _shrink(np.asarray(gray, np.uint8), longest_side_px)
        smallest = max(24, round(min(gray.shape) * _SMALLEST_FACE))  # 24: the cascade's own window
        boxes, _, margins = self._cascade.detectMultiScale3(
            gray,
            scaleFactor=_SCALE_STEP,
            minNeighbors=_LEAST_NEIGHBOURS,
            minSize=(smallest, smallest),
            outputRejectLevels=True,
        )
        return _largest_first(
            [
                Face(_to_picture(box, scale, width, height), _score(float(margin)))
                for box, margin in zip(boxes, np.ravel(margins), strict=True)
            ]
        )


class WholePicture:
    """Takes every picture for a face crop, as data sets hold them: nothing is searched."""

    name = "none"

    def detect(self, image: Image, *, longest_side_px: int = LONGEST_SIDE_PX) -> list[Face]:
        """Return the picture as one face, of score 1."""
        height, width = image.shape[:2]
        return [Face((0, 0, width, height), 1.0)]


def _shrink(image: Image, longest_side_px: int) -> tuple[Image, float]:
    """Return a picture no longer than so many pixels, and by how much it was scaled."""
    height, width = image.shape[:2]
    scale = min(1.0, longest_side_px / max(height, width))
    if scale == 1:
        return image, scale
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _to_picture(box: Sequence[float], scale: float, width: int, height: int) -> Box:
    x, y, w, h = (float(value) / scale for value in box)
    return (
        min(width, max(0, round(x))),
        min(height, max(0, round(y))),
        max(0, min(width, round(x + w))),
        max(0, min(height, round(y + h))),
    )


def _score(margin: float) -> float:
    """Bring the cascade's margin, which has no upper end, to 0 to 1: 3 gives a half, 9 0.75."""
    margin = max(0.0, margin)
    return margin / (margin + _HALF_SCORE_MARGIN)


def _largest_first(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: -_area(face.box))


def _area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])
