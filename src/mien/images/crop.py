"""Make face crops of one size, gray or in colour, from images of any size.

Training data and faces found in photos go through the same functions, so that they cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, cast

import cv2
import numpy as np

from mien.errors import DataError
from mien.io.mapped import release_pages
from mien.types import Crop, Image, Images, Mask

MIN_SIZE_PX: Final = 24
MAX_SIZE_PX: Final = 224

RELEASE_EVERY: Final = 1024  # images between two calls of release_pages

_MIN_STD: Final = 1.0  # gray levels; a blank image has a lower std


class _Sliceable(Protocol):
    """A NumPy array or a torch tensor."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, index: Any, /) -> Any: ...


_Pixels = TypeVar("_Pixels", bound=_Sliceable)


@dataclass(frozen=True)
class CropSpec:
    """The size and the channels of face crops, in a data set, a run and a Bundle.

    Args:
        size_px: side of the crop, in pixels, from 24 to 224.
        channels: 1 for gray, 3 for red, green and blue.

    Raises:
        DataError: if a value is out of range.
    """

    size_px: int = 48
    channels: int = 1

    def __post_init__(self) -> None:
        whole = isinstance(self.size_px, int) and not isinstance(self.size_px, bool)
        if not whole or not MIN_SIZE_PX <= self.size_px <= MAX_SIZE_PX:
            raise DataError(
                f"size_px = {self.size_px!r}: expected {MIN_SIZE_PX} to {MAX_SIZE_PX} pixels"
            )
        if self.channels not in (1, 3):
            raise DataError(f"channels = {self.channels}: expected 1 for gray or 3 for colour")

    def __str__(self) -> str:
        kind = "gray" if self.channels == 1 else "colour"
        return f"{self.size_px}×{self.size_px} {kind}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a crop: (size_px, size_px), or (size_px, size_px, 3) in colour."""
        sides = (self.size_px, self.size_px)
        return sides if self.channels == 1 else (*sides, 3)


DEFAULT_CROP: Final = CropSpec()


def to_crop(image: Image, crop: CropSpec = DEFAULT_CROP) -> Crop:
    """Return an image as a face crop.

    Gray crops of colour images follow the weights of ITU-R BT.601; colour crops of gray images
    repeat the gray level in every channel. An image that is such a crop already is returned bit for
    bit. Other sizes are averaged over areas when they shrink and interpolated linearly when they
    grow; the aspect ratio is not kept.

    Args:
        image: pixels of the image, blue-green-red or gray.
        crop: size and channels of the crop.

    Shape: uint8 (height, width, 3) or (height, width) -> uint8 (size_px, size_px), or
        (size_px, size_px, 3), red-green-blue.
    """
    is_gray = image.ndim == 2
    if crop.channels == 1:
        pixels = image if is_gray else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    else:
        code = cv2.COLOR_GRAY2RGB if is_gray else cv2.COLOR_BGR2RGB
        pixels = cv2.cvtColor(image, code)
    sides = (crop.size_px, crop.size_px)
    if pixels.shape[:2] == sides:
        return np.asarray(pixels, np.uint8)
    shrinks = pixels.shape[0] >= crop.size_px and pixels.shape[1] >= crop.size_px
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, sides, interpolation=interpolation), np.uint8)


def to_image(crop: Crop) -> Image:
    """Return a face crop as an image, blue-green-red or gray, to be drawn on or encoded.

    Shape: uint8 (size_px, size_px), or (size_px, size_px, 3) in red-green-blue -> the same shape.
    """
    return crop if crop.ndim == 2 else np.ascontiguousarray(crop[..., ::-1])


def to_gray(images: Images, size_px: int) -> Images:
    """Return face crops in gray and at another size; gray crops of that size are not copied.

    Shape: uint8 (N, side, side) or (N, side, side, 3) -> uint8 (N, size_px, size_px).
    """
    if images.shape[1:] == (size_px, size_px):
        return images
    gray = np.empty((len(images), size_px, size_px), np.uint8)
    for row, image in enumerate(images):
        gray[row] = to_crop(to_image(image), CropSpec(size_px))
        if row % RELEASE_EVERY == 0:
            release_pages(images)
    return gray


def encode_png(crop: Crop) -> bytes:
    """Return a face crop as a PNG file, without loss."""
    return cv2.imencode(".png", to_image(crop))[1].tobytes()


def centre_crop(images: _Pixels, size_px: int) -> _Pixels:
    """Return a view of the central square of arrays or tensors; all of it if it is smaller.

    Args:
        images: images, or anything else with height and width as its last two axes.
        size_px: side of the square, in pixels.

    Shape: (..., height, width) -> (..., size_px, size_px).
    """
    top, left = (max(0, side - size_px) // 2 for side in images.shape[-2:])
    return cast(_Pixels, images[..., top : top + size_px, left : left + size_px])


def is_blank(images: Images) -> Mask:
    """Return which images are blank: the std of each channel is less than one level.

    Shape: uint8 (N, height, width) or (N, height, width, 3) -> bool (N,).
    """
    blank = np.zeros(len(images), bool)
    for row, image in enumerate(images):
        std = image.std() if image.ndim == 2 else cv2.meanStdDev(image)[1].max()
        blank[row] = std < _MIN_STD
        if row % RELEASE_EVERY == 0:
            release_pages(images)
    return blank
