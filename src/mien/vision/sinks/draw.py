"""Readings onto the picture they came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from mien.labels import COLOURS, EMOTIONS
from mien.types import Image
from mien.vision.reading import Reading

_FONT: Final = cv2.FONT_HERSHEY_DUPLEX


def draw_readings(image: Image, readings: Sequence[Reading]) -> Image:
    """Return a copy of a picture with each face's box, track, emotion and probability drawn.

    Shape: uint8 (height, width, 3) or (height, width) -> uint8 (height, width, 3).
    """
    picture = image.copy() if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    unit = max(picture.shape[:2]) / 1000  # line widths and letters grow with the picture
    for reading in readings:
        colour = _bgr(COLOURS[EMOTIONS.index(reading.emotion)])
        left, top, right, bottom = reading.box
        cv2.rectangle(picture, (left, top), (right, bottom), colour, max(1, round(3 * unit)))
        doubt = "?" if reading.uncertain else ""
        track = "" if reading.track is None else f"#{reading.track} "
        text = f"{track}{reading.emotion}{doubt} {reading.probabilities[reading.emotion]:.0%}"
        _label(picture, text, (left, top), colour, unit)
    return np.asarray(picture, np.uint8)


def _label(
    picture: np.ndarray, text: str, corner: tuple[int, int], colour: tuple[int, ...], unit: float
) -> None:
    """Write on a filled bar above the box, or inside it where the picture ends; never cut off."""
    scale, pad = max(0.4, 0.8 * unit), max(2, round(5 * unit))
    thickness = max(1, round(1.4 * unit))
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
    bar_width, bar_height = width + 2 * pad, height + baseline + 2 * pad
    x = max(0, min(corner[0], picture.shape[1] - bar_width))
    y = corner[1] - bar_height if corner[1] >= bar_height else corner[1]
    cv2.rectangle(picture, (x, y), (x + bar_width, y + bar_height), colour, cv2.FILLED)
    luminance = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]
    ink = (0, 0, 0) if luminance > 110 else (255, 255, 255)
    at = (x + pad, y + pad + height)
    cv2.putText(picture, text, at, _FONT, scale, ink, thickness, cv2.LINE_AA)


def _bgr(colour: str) -> tuple[int, int, int]:
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)
