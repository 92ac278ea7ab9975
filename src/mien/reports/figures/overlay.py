"""Overlays of heat maps on faces, in Inferno's colours, which colour-blind readers can follow."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.images.crop import to_image
from mien.types import Crop, Image

_SHOWN_PX: Final = 144
_OPACITY: Final = 0.75  # where the map is 1: the face still shows through
_SMOOTHING_PX: Final = 4.0  # in the enlarged image: edges of cells and patches mean nothing
_GRAY: Final = 128

# A drop in probability that counts as full brightness at least. If no patch lowers the probability
# by this much, the answer hardly depends on any region, and the map stays pale.
LEAST_DROP: Final = 0.05

Heat = npt.NDArray[np.floating]


def overlay(crop: Crop, heat: Heat) -> Image:
    """Return a face with a heat map over it, at one size; it is unchanged where the map is 0.

    Args:
        crop: face crop.
        heat: heat map; values are clipped to 0 and 1.

    Shape: uint8 (size_px, size_px) or (size_px, size_px, 3), float (size_px, size_px) -> uint8
        (144, 144, 3), blue-green-red.
    """
    size = (_SHOWN_PX, _SHOWN_PX)
    large = cv2.resize(np.clip(heat, 0, 1).astype(np.float32), size)
    smooth = np.asarray(cv2.GaussianBlur(large, (0, 0), _SMOOTHING_PX), np.float32)
    return _blend(enlarge(crop), smooth)


def enlarge(crop: Crop) -> Image:
    """Return a face at the size of an `overlay`, blue-green-red or gray."""
    shrinks = len(crop) > _SHOWN_PX
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    shown = cv2.resize(to_image(crop), (_SHOWN_PX, _SHOWN_PX), interpolation=interpolation)
    return np.asarray(shown, np.uint8)


def heat_legend() -> Image:
    """Return the colours of heat map values from 0 to 1 over gray. Shape: uint8 (16, 256, 3)."""
    heat = np.tile(np.linspace(0, 1, 256), (16, 1))
    return _blend(np.full(heat.shape, _GRAY, np.uint8), heat)


def _blend(image: Image, heat: Heat) -> Image:
    """Lay the colours of a heat map over an image.

    Shape: (h, w) or (h, w, 3), (h, w) -> uint8 (h, w, 3).
    """
    colours = cv2.applyColorMap(np.rint(heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    below = image[..., None] if image.ndim == 2 else image
    share = _OPACITY * np.sqrt(heat)[..., None]  # the root also makes weak regions visible
    return np.asarray(np.rint((1 - share) * below + share * colours), np.uint8)
