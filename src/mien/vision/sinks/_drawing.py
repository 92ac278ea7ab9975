"""Draw boxes and answers onto the picture that the readings come from."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from mien.labels import named_labels
from mien.types import Image
from mien.vision.reading import Reading

_FONT: Final = cv2.FONT_HERSHEY_DUPLEX


def draw_readings(image: Image, readings: Sequence[Reading]) -> Image:
    """Return a copy of a picture with the box, track, class and probability of each face.

    Shape: uint8 (height, width, 3) or (height, width) -> uint8 (height, width, 3).
    """
    colour_image = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    picture = np.array(colour_image, np.uint8)
    unit = max(picture.shape[:2]) / 1000  # lines and letters grow with the picture
    for reading in readings:
        names = tuple(reading.probabilities)
        label = names.index(reading.emotion)
        colour = _bgr(_colours(names)[label])
        left, top, right, bottom = reading.box
        cv2.rectangle(picture, (left, top), (right, bottom), colour, max(1, round(3 * unit)))
        mark = "?" if reading.uncertain else ""
        track = "" if reading.track is None else f"#{reading.track} "
        word = _ascii(reading.emotion) or f"class {label}"
        text = f"{track}{word}{mark} {reading.probabilities[reading.emotion]:.0%}"
        _label(picture, text, (left, top), colour, unit)
    return picture


def _label(
    picture: Image, text: str, corner: tuple[int, int], colour: tuple[int, ...], unit: float
) -> None:
    """Write a label on a filled bar above the box, or inside the box at the picture's edge."""
    scale, pad = max(0.4, 0.8 * unit), max(2, round(5 * unit))
    thickness = max(1, round(1.4 * unit))
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
    bar_width, bar_height = width + 2 * pad, height + baseline + 2 * pad
    x = max(0, min(corner[0], picture.shape[1] - bar_width))
    y = corner[1] - bar_height if corner[1] >= bar_height else corner[1]
    cv2.rectangle(picture, (x, y), (x + bar_width, y + bar_height), colour, cv2.FILLED)
    luminance = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]
    ink = (0, 0, 0) if luminance > 110 else (255, 255, 255)
    origin = (x + pad, y + pad + height)
    cv2.putText(picture, text, origin, _FONT, scale, ink, thickness, cv2.LINE_AA)


@lru_cache(maxsize=8)
def _colours(names: tuple[str, ...]) -> tuple[str, ...]:
    return named_labels(names).colours


def _ascii(text: str) -> str:
    """Return a text as far as OpenCV can write it: without accents and other alphabets."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().strip()


def _bgr(colour: str) -> tuple[int, int, int]:
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)
