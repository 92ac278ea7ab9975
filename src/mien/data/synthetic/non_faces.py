"""Draw crops that show no face, on which a network must not be confident.

They are drawn, or made of pieces of faces, so that training needs no other data set. What networks
learn from such drawings carries over to photographs (Baradad et al., Learning to See by Looking at
Noise, 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from mien.images.crop import SIZE_PX
from mien.types import Array, Floats, Image, Images

_CANVAS_PX: Final = 2 * SIZE_PX  # drawn large and averaged down, for smooth edges
_TILES: Final = (3, 4, 6)  # per side; each divides SIZE_PX
_PIECE_PX: Final = (8, 22)  # side of a magnified piece, such as an eye or a cheek
_LEFT_PX: Final = (6, 18)  # what remains of a face at the edge of the image


def draw_non_faces(faces: Images, count: int, *, seed: int = 0) -> Images:
    """Draw non-faces of every kind; the same for the same faces, count and seed.

    Args:
        faces: face crops that pieces are taken from.
        count: number of images.
        seed: seed of everything random.

    Shape: uint8 (N, 48, 48) -> uint8 (count, 48, 48).
    """
    generator = np.random.default_rng(seed)
    drawn = np.empty((count, SIZE_PX, SIZE_PX), np.uint8)
    for number in range(count):
        face = faces[generator.integers(len(faces))]
        drawn[number] = _KINDS[number % len(_KINDS)](face, generator)
    return drawn


def _clouds(_: Image, generator: np.random.Generator) -> Image:
    """Return noise whose amplitude falls with frequency, from white noise to a soft shadow."""
    return _stretch(_noise(SIZE_PX, generator))


def _waves(_: Image, generator: np.random.Generator) -> Image:
    """Return one to three superposed patterns of stripes or rings, soft or hard."""
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    waves = np.zeros((SIZE_PX, SIZE_PX))
    for _wave in range(generator.integers(1, 4)):
        if generator.random() < 0.3:
            middle = generator.uniform(-20, SIZE_PX + 20, 2)
            way = np.hypot(x - middle[0], y - middle[1])
        else:
            angle = generator.uniform(0, np.pi)
            way = x * np.cos(angle) + y * np.sin(angle)
        waves += np.sin(way / generator.uniform(0.6, 10) + generator.uniform(0, 2 * np.pi))
    return _stretch(np.tanh(waves * generator.uniform(0.5, 4)))


def _shapes(_: Image, generator: np.random.Generator) -> Image:
    """Return overlapping shapes, few of them large: "dead leaves", a model of photographs.

    Source: Lee, Mumford and Huang, Occlusion Models for Natural Images, 2001.
    """
    canvas = np.full((_CANVAS_PX, _CANVAS_PX), generator.uniform(0, 255), np.float32)
    fall = generator.uniform(0.6, 1.6)
    for _shape in range(generator.integers(3, 80)):
        radius = min(60.0, 4 / (generator.random() ** fall + 1e-3))
        middle = generator.integers(0, _CANVAS_PX, 2)
        gray = float(generator.uniform(0, 255))
        kind = generator.integers(3)
        if kind == 0:
            axes = (int(radius) + 1, int(radius * generator.uniform(0.2, 1)) + 1)
            turned = float(generator.uniform(0, 180))
            cv2.ellipse(canvas, middle.tolist(), axes, turned, 0, 360, gray, -1)
        elif kind == 1:
            corners = middle + generator.normal(0, radius, (generator.integers(3, 7), 2))
            cv2.fillPoly(canvas, [corners.astype(np.int32)], gray)
        else:
            end = (middle + generator.normal(0, 3 * radius, 2)).astype(int)
            width = int(generator.integers(1, 9))
            cv2.line(canvas, middle.tolist(), end.tolist(), gray, width)
    canvas += generator.normal(0, generator.uniform(0, 20), canvas.shape).astype(np.float32)
    if generator.random() < 0.5:  # light and shade
        canvas *= (0.3 + 0.7 * _stretch(_noise(_CANVAS_PX, generator)) / 255).astype(np.float32)
    soft = cv2.GaussianBlur(canvas, (0, 0), generator.uniform(0.5, 3))
    return _stretch(cv2.resize(soft, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA))


def _shuffled(face: Image, generator: np.random.Generator) -> Image:
    """Return a face cut into squares in random order."""
    side = int(generator.choice(_TILES))
    tiles = face.reshape(side, SIZE_PX // side, side, SIZE_PX // side).swapaxes(1, 2)
    mixed = generator.permutation(tiles.reshape(side * side, *tiles.shape[2:]))
    return mixed.reshape(tiles.shape).swapaxes(1, 2).reshape(face.shape)


def _magnified(face: Image, generator: np.random.Generator) -> Image:
    """Return a small piece of a face, magnified."""
    side = int(generator.integers(*_PIECE_PX))
    top, left = generator.integers(0, SIZE_PX - side + 1, 2)
    piece = face[top : top + side, left : left + side]
    return np.asarray(cv2.resize(piece, face.shape, interpolation=cv2.INTER_CUBIC), np.uint8)


def _moved_out(face: Image, generator: np.random.Generator) -> Image:
    """Return the edge of a face that is mostly outside; the rest repeats the edge, or is noise."""
    left, side = int(generator.integers(*_LEFT_PX)), int(generator.integers(4))
    face = np.rot90(face, side)  # rotated back below: every side is treated as the top
    if generator.random() < 0.5:
        picture = np.repeat(face[-1:], SIZE_PX, axis=0)
    else:
        picture = _clouds(face, generator)
    picture[:left] = face[-left:]
    return np.rot90(picture, -side)


_Kind = Callable[[Image, np.random.Generator], Image]
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


def _stretch(image: Array) -> Image:
    low, high = float(image.min()), float(image.max())
    return np.asarray(255 * (image - low) / max(high - low, 1e-6), np.uint8)
