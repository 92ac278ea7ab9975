"""YuNet, a small network that also finds turned and partly covered faces, and their eyes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.errors import MienError
from mien.images.decode import quiet_opencv
from mien.types import Image
from mien.vision.detectors._geometry import largest_first, original_box, shrink
from mien.vision.detectors._yunet_file import (
    FILE_NAME,
    by_hand,
    fetch_yunet,
    fetch_yunet_once,
    find_yunet,
)
from mien.vision.detectors.base import DETECTORS, LONGEST_SIDE_PX, Detector, Face

__all__ = ["YuNetDetector", "fetch_yunet"]

_MIN_SCORE: Final = 0.7  # 19 of 20 faces of FER-2013, padded and searched, have 0.79 or more
_MAX_OVERLAP: Final = 0.3  # two boxes with a higher overlap are one face; OpenCV's default
_MAX_FACES: Final = 5000


@DETECTORS.register("yunet")
class YuNetDetector(Detector):
    """YuNet, loaded from its file, which is not part of the package.

    Args:
        path: path of ``face_detection_yunet_2023mar.onnx`` (see `mien.vision.detectors.yunet`).

    Raises:
        MienError: if OpenCV cannot load the file.

    Source: Wu et al., YuNet: A Tiny Millisecond-level Face Detector, 2023; weights MIT.
    """

    name = "yunet"

    def __init__(self, path: Path) -> None:
        try:
            with quiet_opencv:
                self._network = cv2.FaceDetectorYN.create(
                    str(path), "", (320, 320), _MIN_SCORE, _MAX_OVERLAP, _MAX_FACES
                )
        except cv2.error:
            raise MienError(
                f"{path}: OpenCV {cv2.__version__} cannot load it as YuNet; is it a complete "
                f"{FILE_NAME}?"
            ) from None

    @classmethod
    def prepare(cls, model: str | Path | None = None) -> Callable[[], Detector]:
        """Return a function that creates an instance; the file is downloaded if necessary.

        Args:
            model: path of YuNet's file; None for the file in mien's cache.

        Raises:
            MienError: if the file is missing, wrong or out of reach, or may not be downloaded
                because ``MIEN_OFFLINE`` is set.
        """
        path = find_yunet(model)
        if path is None and os.environ.get("MIEN_OFFLINE"):
            raise MienError(
                f"YuNet's file is missing, and MIEN_OFFLINE forbids the download: {by_hand()}"
            )
        return cls._builder(path or fetch_yunet())

    @classmethod
    def prepare_if_available(cls, model: str | Path | None = None) -> Callable[[], Detector] | None:
        """Return the result of `prepare`; None if the file is missing and cannot be downloaded.

        Raises:
            MienError: if `model` is missing or wrong.
        """
        path = find_yunet(model) or fetch_yunet_once()
        return cls._builder(path) if path else None

    @classmethod
    def missing_note(cls) -> str:
        """Return instructions for getting YuNet's file."""
        return (
            "Faces were found by OpenCV's Haar cascade, which misses turned and small ones; for "
            f"YuNet: mien fetch, or {by_hand()}"
        )

    @classmethod
    def _builder(cls, path: Path) -> Callable[[], Detector]:
        return lambda: cls(path)

    def detect(self, image: Image, *, longest_side_px: int = LONGEST_SIDE_PX) -> list[Face]:
        """Return the faces in a picture, the largest first (see `Detector`)."""
        colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        shrunk, scale = shrink(np.asarray(colour, np.uint8), longest_side_px)
        self._network.setInputSize((shrunk.shape[1], shrunk.shape[0]))
        _, rows = self._network.detect(shrunk)
        faces = []
        for row in () if rows is None else rows:  # box, five points, score: 4 + 10 + 1 numbers
            right_eye, left_eye = row[4:6], row[6:8]  # the person's right eye is on the left
            across, down = left_eye - right_eye
            tilt_degrees = float(np.degrees(np.arctan2(down, across)))
            box = original_box(row[:4], scale, image)
            faces.append(Face(box, min(float(row[14]), 1.0), tilt_degrees))
        return largest_first(faces)
