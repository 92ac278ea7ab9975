"""Draw crops that show no face, on which a network must not be confident.

They are drawn, or made of pieces of faces, so that training needs no other data set. What networks
learn from such drawings carries over to photographs (Baradad et al., Learning to See by Looking at
Noise, 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np

from mien.images.crop import CropSpec
from mien.types import Array, Crop, Floats, Images

_DRAWN_LARGER: Final = 2  # drawn large and averaged down, for smooth edges
_TILES: Final = (3, 4, 6)  # per side
# Lengths are in pixels of the default crop, and grow with the side of others.
_PIECE_PX: Final = (8, 22)  # side of a magnified piece, such as an eye or a cheek
_LEFT_PX: Final = (6, 18)  # what remains of a face at the edge of the image


def draw_non_faces(faces: Images, count: int, *, seed: int = 0) -> Images:
    """Draw non-faces of every kind; the same for the same faces, count and seed.

    Args:
        faces: face crops that pieces are taken from.
        count: number of images.
        seed: seed of everything random.

    Shape: uint8 (N, size_px, size_px) -> uint8 (count, size_px, size_px), or both with 3 channels.
    """
    generator = np.random.default_rng(seed)
    drawn = np.empty((count, *faces.shape[1:]), np.uint8)
    for number in range(count):
        face = faces[generator.integers(len(faces))]
        drawn[number] = _KINDS[number % len(_KINDS)](face, generator)
    return drawn


def _clouds(face: Crop, generator: np.random.Generator) -> Crop:
    """Return noise whose amplitude falls with frequency, from white noise to a soft shadow."""
    return _tinted(_stretch(_noise(len(face), generator)), face, generator)


def _waves(face: Crop, generator: np.random.Generator) -> Crop:
    """Return one to three superposed patterns of stripes or rings, soft or hard."""
    side, unit = len(face), _unit(face)
    y, x = np.mgrid[:side, :side]
    waves = np.zeros((side, side))
    for _wave in range(generator.integers(1, 4)):
        if generator.random() < 0.3:
            middle = generator.uniform(-20 * unit, side + 20 * unit, 2)
            way = np.hypot(x - middle[0], y - middle[1])
        else:
            angle = generator.uniform(0, np.pi)
            way = x * np.cos(angle) + y * np.sin(angle)
        waves += np.sin(way / (generator.uniform(0.6, 10) * unit) + generator.uniform(0, 2 * np.pi))
    return _tinted(_stretch(np.tanh(waves * generator.uniform(0.5, 4))), face, generator)


def _shapes(face: Crop, generator: np.random.Generator) -> Crop:
    """Return overlapping shapes, few of them large: "dead leaves", a model of photographs.

    Source: Lee, Mumford and Huang, Occlusion Models for Natural Images, 2001.
    """
    unit, side, channels = _unit(face), _DRAWN_LARGER * len(face), face.shape[2:]
    canvas = np.empty((side, side, *channels), np.float32)
    canvas[:] = _tone(channels, generator)
    fall = generator.uniform(0.6, 1.6)
    for _shape in range(generator.integers(3, 80)):
        radius = min(60.0, 4 / (generator.random() ** fall + 1e-3)) * unit
        middle = generator.integers(0, side, 2)
        tone = _tone(channels, generator)
        kind = generator.integers(3)
        if kind == 0:
            axes = (int(radius) + 1, int(radius * generator.uniform(0.2, 1)) + 1)
            turned = float(generator.uniform(0, 180))
            cv2.ellipse(canvas, middle.tolist(), axes, turned, 0, 360, tone, -1)
        elif kind == 1:
            corners = middle + generator.normal(0, radius, (generator.integers(3, 7), 2))
            cv2.fillPoly(canvas, [corners.astype(np.int32)], tone)
        else:
            end = (middle + generator.normal(0, 3 * radius, 2)).astype(int)
            width = max(1, round(int(generator.integers(1, 9)) * unit))
            cv2.line(canvas, middle.tolist(), end.tolist(), tone, width)
    canvas += np.asarray(generator.normal(0, generator.uniform(0, 20), canvas.shape), np.float32)
    if generator.random() < 0.5:  # light and shade
        light = np.asarray(0.3 + 0.7 * _stretch(_noise(side, generator)) / 255, np.float32)
        canvas *= light.reshape(side, side, *(1 for _ in channels))
    soft = cv2.GaussianBlur(canvas, (0, 0), generator.uniform(0.5, 3) * unit)
    return _stretch(cv2.resize(soft, (len(face), len(face)), interpolation=cv2.INTER_AREA))


def _shuffled(face: Crop, generator: np.random.Generator) -> Crop:
    """Return a face cut into squares in random order; a rest at the edges stays in place."""
    side = int(generator.choice(_TILES))
    tile_px = len(face) // side
    whole = slice(tile_px * side)
    cut = face[whole, whole]
    tiles = cut.reshape(side, tile_px, side, tile_px, *face.shape[2:]).swapaxes(1, 2)
    mixed = generator.permutation(tiles.reshape(side * side, *tiles.shape[2:]))
    picture = face.copy()
    picture[whole, whole] = mixed.reshape(tiles.shape).swapaxes(1, 2).reshape(cut.shape)
    return picture


def _magnified(face: Crop, generator: np.random.Generator) -> Crop:
    """Return a small piece of a face, magnified."""
    side = _draw_length(_PIECE_PX, face, generator)
    top, left = generator.integers(0, len(face) - side + 1, 2)
    piece = face[top : top + side, left : left + side]
    magnified = cv2.resize(piece, (len(face), len(face)), interpolation=cv2.INTER_CUBIC)
    return np.asarray(magnified, np.uint8)


def _moved_out(face: Crop, generator: np.random.Generator) -> Crop:
    """Return the edge of a face that is mostly outside; the rest repeats the edge, or is noise."""
    left, side = _draw_length(_LEFT_PX, face, generator), int(generator.integers(4))
    face = np.rot90(face, side)  # rotated back below: every side is treated as the top
    if generator.random() < 0.5:
        picture = np.repeat(face[-1:], len(face), axis=0)
    else:
        picture = _clouds(face, generator)
    picture[:left] = face[-left:]
    return np.rot90(picture, -side)


_Kind = Callable[[Crop, np.random.Generator], Crop]
# Shapes twice: they vary most.
_KINDS: Final[tuple[_Kind, ...]] = (
    _clouds, _waves, _shapes, _shapes, _shuffled, _magnified, _moved_out,
)  # fmt: skip


def _noise(side: int, generator: np.random.Generator) -> Floats:
    frequencies = np.fft.fftfreq(side)
    radius = np.hypot(frequencies[:, None], frequencies[None])
    radius[0, 0] = 1  # the mean, which is stretched away
    phases = np.exp(2j * np.pi * generator.random((side, side)))
    return np.fft.ifft2(phases / radius ** generator.uniform(0.5, 3.5)).real


def _unit(face: Crop) -> float:
    """Return the length of a pixel of the default crop, in pixels of this one."""
    return len(face) / CropSpec.size_px


def _draw_length(limits: tuple[int, int], face: Crop, generator: np.random.Generator) -> int:
    return round(int(generator.integers(*limits)) * _unit(face))


def _tone(channels: tuple[int, ...], generator: np.random.Generator) -> Any:
    """Return a random gray level, or a random colour."""
    return generator.uniform(0, 255, channels).tolist() if channels else generator.uniform(0, 255)


def _tinted(gray: Array, face: Crop, generator: np.random.Generator) -> Crop:
    """Return a gray picture between two random colours, for a face in colour."""
    if face.ndim == 2:
        return gray
    dark, light = generator.uniform(0, 255, (2, 3))
    return np.asarray(dark + gray[..., None] / 255 * (light - dark), np.uint8)


def _stretch(image: Array) -> Crop:
    low, high = float(image.min()), float(image.max())
    return np.asarray(255 * (image - low) / max(high - low, 1e-6), np.uint8)
