"""Make 48×48 gray face crops from images of any size and colour.

Training data and faces found in photos go through the same functions, so that they cannot differ.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeVar, cast

import cv2
import numpy as np

from mien.types import Image, Images, Mask

SIZE_PX: Final = 48

_MIN_STD: Final = 1.0  # gray levels; a blank image has a lower std


class _Sliceable(Protocol):
    """A NumPy array or a torch tensor."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, index: Any, /) -> Any: ...


_Pixels = TypeVar("_Pixels", bound=_Sliceable)


def to_crop(image: Image) -> Image:
    """Return an image as a face crop: gray by the weights of ITU-R BT.601, 48×48 pixels.

    A gray image of 48×48 pixels is returned bit for bit. Other sizes are averaged over areas when
    they shrink and interpolated linearly when they grow; the aspect ratio is not kept.

    Shape: uint8 (height, width, 3) or (height, width) -> uint8 (48, 48).
    """
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    if gray.shape == (SIZE_PX, SIZE_PX):
        return np.asarray(gray, np.uint8)
    shrinks = gray.shape[0] >= SIZE_PX and gray.shape[1] >= SIZE_PX
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(gray, (SIZE_PX, SIZE_PX), interpolation=interpolation)
    return np.asarray(resized, np.uint8)


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
    """Return which images are blank: their std is less than one gray level.

    Shape: uint8 (N, height, width) -> bool (N,).
    """
    return np.array([image.std() < _MIN_STD for image in images], bool)
