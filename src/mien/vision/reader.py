"""Photos to Readings."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.data.pixels import Image, read_image, to_crop
from mien.emotions import EMOTIONS
from mien.errors import DataError, SourceError
from mien.runtime.bundle import Bundle, find_bundle
from mien.vision.detect import HaarDetector
from mien.vision.reading import Box, Reading


class Reader:
    """Finds the faces in a picture and reads their expressions.

    Args:
        model: a shipped Bundle's name, a ``.onnx`` file or a run directory; None for the best that
            comes with mien.
        threads: for the network; 0 for every core.

    Raises:
        BundleError: if there is no such Bundle.
    """

    def __init__(self, model: str | Path | None = None, *, threads: int = 0) -> None:
        self.bundle = Bundle(find_bundle(model), threads=threads)
        self._detector = HaarDetector()

    def read(self, source: str | Path | Image) -> list[Reading]:
        """Read every face in one picture, the largest first; an empty list where there is none.

        Args:
            source: the path of an image file, or its pixels.

        Raises:
            SourceError: if the file is missing or no image, or the array has another shape.

        Shape: an array is uint8 (height, width, 3), blue-green-red as OpenCV reads it, or gray
        (height, width).
        """
        image, name = open_picture(source)
        faces = self._detector.detect(image)
        if not faces:
            return []
        about = self.bundle.metadata
        crops = np.stack([to_crop(cut_face(image, face.box, about.crop_margin)) for face in faces])
        _, probabilities = self.bundle.predict(crops)
        return [
            Reading(
                name,
                face.box,
                face.score,
                EMOTIONS[int(row.argmax())],
                _named(row),
                bool(row.max() < about.uncertain_below),
            )
            for face, row in zip(faces, probabilities, strict=True)
        ]


def read(source: str | Path | Image, model: str | Path | None = None) -> list[Reading]:
    """Read every face in one picture; see `Reader`, which serves many pictures faster."""
    return Reader(model).read(source)


def open_picture(source: str | Path | Image) -> tuple[Image, str]:
    """Return a picture's pixels and its name.

    Raises:
        SourceError: if it is missing, no image, or not uint8 gray or colour.
    """
    if isinstance(source, np.ndarray):
        colour = source.ndim == 3 and source.shape[2] == 3
        if source.dtype != np.uint8 or not (colour or source.ndim == 2) or source.size == 0:
            raise SourceError(
                f"the picture is {source.dtype} {source.shape}, expected uint8 (height, width, 3), "
                "blue-green-red, or gray (height, width)"
            )
        return source, ""
    path = Path(source)
    if path.is_dir():
        raise SourceError(f"{path}: a folder, expected an image file")
    if not path.exists():
        raise SourceError(f"{path}: no such file, expected a photo")
    try:
        return read_image(path), str(source)
    except DataError as error:
        raise SourceError(str(error)) from None


def cut_face(image: Image, box: Box, margin: float) -> Image:
    """Cut the square around a face out of a picture, its edge repeated where it ends.

    Args:
        image: the picture.
        box: left, top, right, bottom, in pixels.
        margin: added on each side, as a share of the box's longer side.

    Shape: -> (side, side) or (side, side, 3), at least one pixel.
    """
    left, top, right, bottom = box
    side = max(1, round(max(right - left, bottom - top) * (1 + 2 * margin)))
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    height, width = image.shape[:2]
    inside = image[max(y, 0) : min(y + side, height), max(x, 0) : min(x + side, width)]
    beyond = (max(-y, 0), max(y + side - height, 0), max(-x, 0), max(x + side - width, 0))
    if any(beyond):
        inside = np.asarray(cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE), np.uint8)
    return inside


def _named(row: npt.NDArray[np.float32]) -> dict[str, float]:
    return {emotion: float(value) for emotion, value in zip(EMOTIONS, row, strict=True)}
