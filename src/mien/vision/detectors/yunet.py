"""YuNet, a small network that also finds turned and partly covered faces, and their eyes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.errors import MienError
from mien.images.decode import quiet_opencv
from mien.types import Array, Image
from mien.vision.detectors._geometry import original_box, shrink, tiles
from mien.vision.detectors._yunet_file import (
    FILE_NAME,
    by_hand,
    fetch_yunet,
    find_yunet,
)
from mien.vision.detectors.base import DETECTORS, LONGEST_SIDE_PX, Detector, Face
from mien.vision.overlap import without_duplicates
from mien.vision.reading import Box

__all__ = ["YuNetDetector", "by_hand", "fetch_yunet", "find_yunet"]

_MIN_SCORE: Final = 0.7  # 19 of 20 faces of FER-2013, padded and searched, have 0.79 or more
_MAX_OVERLAP: Final = 0.3  # two boxes with a higher overlap are one face; OpenCV's default
_MAX_FACES: Final = 5000

# The network finds faces of about 12 to 500 px; larger and smaller ones take another scale.
_CLOSE_UP_SHARE: Final = 1 / 4  # side of the search for close-ups, as a share of the whole one's
_CLOSE_UP_SIDE_PX: Final = 192  # least side of that search: 320 px and less need none
_MAX_SIDE_PX: Final = 320  # up to this side, a face that fills the picture is found
_SURE_SCORE: Final = 0.8
# Photos are searched once more for small faces: 24 px of 4,000 are 21.6 px then.
_FINE_SIDE_PX: Final = 3600
_FINE_GAIN: Final = 1.25  # least enlargement that is worth it
_FINE_MIN_SCORE: Final = 0.79  # of small faces: of so many places, some letter looks like one
_SMALL: Final = 1 / 12  # largest face, as a share of the picture, that suggests still smaller ones
_SMALL_FACE_PX: Final = 64  # in that search; larger faces are found without it
_OVERLAP_PX: Final = 72  # of tiles, so that each small face is whole in one of them
_EDGE_PX: Final = 2.0  # distance of a box from the edge of a tile that cuts it off
_MIN_INPUT_PX: Final = 64  # OpenCV returns unwritten memory for a padded side of 32 px


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
        # One network a scale: OpenCV takes as long as for a search to change the size of its input.
        self._whole, self._close_up = _load(path), _load(path)

    @classmethod
    def prepare(cls, model: str | Path | None = None) -> Callable[[], Detector]:
        """Return a function that creates an instance. Nothing is downloaded: see `fetch_yunet`.

        Args:
            model: path of YuNet's file; None for the file in mien's cache.

        Raises:
            MienError: if the file is missing or wrong.
        """
        path = find_yunet(model)
        if path is None:
            raise MienError(f"YuNet's file is missing; download it: mien fetch, or {by_hand()}")
        return cls._builder(path)

    @classmethod
    def prepare_if_available(cls, model: str | Path | None = None) -> Callable[[], Detector] | None:
        """Return the result of `prepare`; None if the file is missing.

        Raises:
            MienError: if `model` is missing or wrong.
        """
        path = find_yunet(model)
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
        return partial(cls, path)

    def detect(self, image: Image, *, longest_side_px: int = LONGEST_SIDE_PX) -> list[Face]:
        """Return the faces in a picture, the largest first (see `Detector`).

        A frame of a video, which is shrunk to less than `LONGEST_SIDE_PX`, is searched at a second,
        small scale for a close-up if no sure face was found. A photo is always searched at both,
        and, if no face or only small ones were found, in tiles at a fine scale.
        """
        is_photo = longest_side_px >= LONGEST_SIDE_PX
        shrunk, scale = shrink(image, longest_side_px)
        faces = list(_search(self._whole, shrunk, scale, image))
        if is_photo or all(face.score < _SURE_SCORE for face in faces):
            faces += self._close_ups(shrunk, scale, image)
        faces = without_duplicates(faces, _MAX_OVERLAP)
        if is_photo and (not faces or _share(faces[0], image) < _SMALL):
            faces = without_duplicates([*faces, *self._small(shrunk, image)], _MAX_OVERLAP)
        return faces

    def _close_ups(self, shrunk: Image, scale: float, image: Image) -> Iterator[Face]:
        """Yield the faces that are too large for the network at the first scale."""
        side_px = max(shrunk.shape[:2])
        while side_px > _MAX_SIDE_PX:
            side_px = max(_CLOSE_UP_SIDE_PX, round(side_px * _CLOSE_UP_SHARE))
            smaller, more = shrink(shrunk, side_px)
            yield from _search(self._close_up, smaller, scale * more, image)

    def _small(self, shrunk: Image, image: Image) -> Iterator[Face]:
        """Yield the faces that are too small for the network at the first scale."""
        if max(image.shape[:2]) < _FINE_GAIN * max(shrunk.shape[:2]):
            return
        fine, scale = shrink(image, max(_FINE_SIDE_PX, max(shrunk.shape[:2])))
        # Tiles of the size of the first search, for which the network is ready, unless it is thin.
        sides = [max(side, 6 * _OVERLAP_PX) for side in shrunk.shape[:2]]
        for tile in tiles(fine.shape, sides, _OVERLAP_PX):
            left, top, right, bottom = tile
            for row in _rows(self._whole, fine[top:bottom, left:right]):
                row[:2] += (left, top)
                is_small = row[14] >= _FINE_MIN_SCORE and max(row[2:4]) <= _SMALL_FACE_PX
                if is_small and not _is_cut(row, tile, fine):
                    yield _face(row, scale, image)


def _load(path: Path) -> cv2.FaceDetectorYN:
    """Return YuNet's network, loaded by its bytes: OpenCV opens no path that is not UTF-8."""
    try:
        with quiet_opencv:
            return cv2.FaceDetectorYN.create(
                "onnx",
                np.frombuffer(path.read_bytes(), np.uint8),
                np.empty(0, np.uint8),
                (320, 320),
                _MIN_SCORE,
                _MAX_OVERLAP,
                _MAX_FACES,
            )
    except cv2.error:
        raise MienError(
            f"{path}: OpenCV {cv2.__version__} cannot load it as YuNet; is it a complete "
            f"{FILE_NAME}?"
        ) from None
    except OSError as error:
        raise MienError(f"{path}: cannot be read ({error.strerror})") from error


def _search(
    network: cv2.FaceDetectorYN, shrunk: Image, scale: float, image: Image
) -> Iterator[Face]:
    """Yield the faces in a shrunk picture, in pixels of the original."""
    for row in _rows(network, shrunk):
        yield _face(row, scale, image)


def _rows(network: cv2.FaceDetectorYN, image: Image) -> Array:
    """Return what the network finds.

    Shape: -> float32 (faces, 15): left, top, width and height, five points, score.
    """
    colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    height, width = colour.shape[:2]
    below, beside = max(0, _MIN_INPUT_PX - height), max(0, _MIN_INPUT_PX - width)
    if below or beside:
        colour = cv2.copyMakeBorder(colour, 0, below, 0, beside, cv2.BORDER_CONSTANT)
    network.setInputSize((colour.shape[1], colour.shape[0]))
    _, rows = network.detect(np.asarray(colour, np.uint8))
    if rows is None:
        return np.empty((0, 15), np.float32)
    found = np.asarray(rows, np.float32)
    return found[np.isfinite(found).all(axis=1)]


def _is_cut(row: Array, tile: Box, picture: Image) -> bool:
    """Return whether an edge of a tile cuts a face off, which is whole in the next tile then."""
    left, top, width, height = row[:4]
    bottom_edge, right_edge = picture.shape[:2]
    return bool(
        0 < tile[0] > left - _EDGE_PX
        or 0 < tile[1] > top - _EDGE_PX
        or right_edge > tile[2] < left + width + _EDGE_PX
        or bottom_edge > tile[3] < top + height + _EDGE_PX
    )


def _face(row: Array, scale: float, image: Image) -> Face:
    right_eye, left_eye = row[4:6], row[6:8]  # the person's right eye is on the left
    across, down = left_eye - right_eye
    tilt_degrees = float(np.degrees(np.arctan2(down, across)))
    box = original_box(row[:4].tolist(), scale, image)
    return Face(box, min(float(row[14]), 1.0), tilt_degrees)


def _share(face: Face, image: Image) -> float:
    """Return the longer side of a face, as a share of the picture's."""
    left, top, right, bottom = face.box
    return float(max(right - left, bottom - top) / max(image.shape[:2]))
