"""A random person's portrait on a canvas, and its photograph as a face crop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from mien.data.synthetic.expressions import Expression
from mien.images.crop import CropSpec
from mien.types import Array, Crop, Floats

_DRAWN_LARGER: Final = 4  # drawn large and averaged down, for smooth edges
_FIXED_POINT_BITS: Final = 4  # coordinates in sixteenths of a pixel
_LUMINANCE: Final = np.array([0.299, 0.587, 0.114])  # of red, green and blue: ITU-R BT.601

Tone = float | Floats  # a gray level, or red, green and blue


class Portrait:
    """A random person's head on a canvas. Lengths are in half face widths from the centre.

    The luminance of a colour is the gray level that it would have in gray.

    Args:
        generator: random generator of everything but colours.
        colours: random generator of colours.
        crop: size and channels of the crop that the portrait is made for.
    """

    def __init__(
        self, generator: np.random.Generator, colours: np.random.Generator, crop: CropSpec
    ) -> None:
        uniform = generator.uniform
        self.canvas_px = _DRAWN_LARGER * crop.size_px
        tints = _Tints(colours, crop)
        light = float(uniform(95, 215))
        self.skin = light * tints.skin
        self.hair = float(uniform(10, 130)) * tints.hair
        self.background = float(uniform(10, 240)) * tints.background
        self.ink = self.skin * float(uniform(0.2, 0.45))
        self.iris, self.lips = tints.iris, tints.lips
        self.eye_white = min(255.0, light * 1.25 + 20) * tints.white
        self.teeth = min(255.0, light * 1.2 + 30) * tints.white
        self.half_width_px = self.canvas_px * float(uniform(0.30, 0.36))
        self.height = float(uniform(1.22, 1.42))
        self.eye_apart = float(uniform(0.40, 0.50))
        self.eye_size = float(uniform(0.15, 0.20))
        self.brow_thick = float(uniform(0.04, 0.10))
        self.brow_above = float(uniform(0.25, 0.33))
        self.nose_long = float(uniform(0.36, 0.50))
        self.mouth_below = float(uniform(0.66, 0.78))
        self.mouth_size = float(uniform(0.30, 0.40))
        self.turn = float(uniform(-0.14, 0.14))  # shift of the features as the head turns
        self.glasses = bool(uniform() < 0.12)
        self.beard = bool(uniform() < 0.15)
        self.long_hair = bool(uniform() < 0.5)
        self.canvas = np.empty((self.canvas_px, self.canvas_px, *crop.shape[2:]), np.float32)
        self.canvas[:] = self.background

    def draw(self, face: Expression) -> Array:
        """Return the canvas with the head and its expression."""
        self._head()
        self._nose(face)
        self._mouth(face)
        for side in (-1, 1):
            self._eye(side, face)
            self._brow(side, face)
        return self.canvas

    def _head(self) -> None:
        if self.long_hair:
            self._ellipse((0, 0.05), (1.22, self.height * 1.12), self.hair)
        else:
            self._ellipse((0, -0.28), (1.08, self.height * 0.95), self.hair)
        self._ellipse((0, 0.12), (0.98, self.height), self.skin)
        if self.beard:
            self._ellipse((self.turn, self.mouth_below + 0.1), (0.7, 0.5), self.skin * 0.62)

    def _eye(self, side: int, face: Expression) -> None:
        x, y = side * self.eye_apart + self.turn, -0.12
        open_by = self.eye_size * float(np.clip(0.52 + 0.42 * face.eyes_open, 0.08, 1.1))
        self._ellipse((x, y), (self.eye_size * 1.15, open_by), self.eye_white)
        iris = min(self.eye_size * 0.55, open_by * 1.05)
        self._ellipse((x, y), (iris, iris), self.ink * 0.5 * self.iris)
        lid = [(x + self.eye_size * 1.2 * a, y - open_by * (1 - a * a)) for a in _arc(7)]
        self._line(lid, 0.035, self.ink)
        if self.glasses:
            self._ring((x, y), (self.eye_size * 1.9, self.eye_size * 1.6), 0.04, self.ink)

    def _brow(self, side: int, face: Expression) -> None:
        middle = -0.12 - self.brow_above
        inner = (side * (self.eye_apart - 0.22) + self.turn, middle - 0.16 * face.inner_brow_up)
        outer = (side * (self.eye_apart + 0.26) + self.turn, middle - 0.13 * face.outer_brow_up)
        arch = ((inner[0] + outer[0]) / 2, (inner[1] + outer[1]) / 2 - 0.05)
        self._line([inner, arch, outer], self.brow_thick, np.minimum(self.hair, self.ink))

    def _nose(self, face: Expression) -> None:
        x, tip = self.turn * 1.4, -0.05 + self.nose_long
        shade = self.skin * 0.72
        self._line([(x - 0.13, tip - 0.02), (x, tip + 0.04), (x + 0.13, tip - 0.02)], 0.04, shade)
        wrinkle = max(0.0, face.nose_wrinkle)
        for side in (-1, 1):
            fold = [(x + side * 0.08, 0.02), (x + side * (0.16 + 0.06 * wrinkle), 0.12)]
            if wrinkle > 0.2:
                self._line(fold, 0.05 * wrinkle, self.ink)
            # The fold from nose to mouth deepens with a smile and with disgust.
            depth = max(0.0, face.mouth_corners_up, face.upper_lip_up, wrinkle)
            cheek = [(x + side * 0.2, tip), (x + side * 0.42, self.mouth_below - 0.12)]
            if depth > 0.15:
                self._line(cheek, 0.045 * min(1.0, depth), self.skin * 0.75)

    def _mouth(self, face: Expression) -> None:
        half = self.mouth_size * (1 + 0.38 * face.mouth_wide)
        opening = 0.26 * max(0.0, face.mouth_open)
        across = _arc(11)
        x, y = self.turn, self.mouth_below

        def lip(raise_by: float) -> list[tuple[float, float]]:
            corners = 0.20 * face.mouth_corners_up
            return [
                (x + half * a, y - corners * (a * a - 0.4) - raise_by * (1 - a * a)) for a in across
            ]

        upper = lip(opening * 0.5 + 0.10 * max(0.0, face.upper_lip_up))
        lower = lip(-opening)
        if opening > 0.03 or face.upper_lip_up > 0.3:
            self._polygon(upper + lower[::-1], self.ink * 0.5 * self.lips)
            if face.mouth_wide > 0.2 or face.upper_lip_up > 0.3:  # teeth show
                teeth = lip(opening * 0.05)
                self._polygon(upper + teeth[::-1], self.teeth)
        self._line(upper, 0.05, self.ink * self.lips)
        self._line(lower, 0.05, self.skin * 0.6 * self.lips)

    def _ellipse(self, centre: tuple[float, float], radii: tuple[float, float], tone: Tone) -> None:
        angles = np.linspace(0, 2 * np.pi, 33)[:-1]
        outline = [
            (centre[0] + radii[0] * float(np.cos(a)), centre[1] + radii[1] * float(np.sin(a)))
            for a in angles
        ]
        self._polygon(outline, tone)

    def _ring(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        thickness: float,
        tone: Tone,
    ) -> None:
        angles = np.linspace(0, 2 * np.pi, 25)
        self._line(
            [
                (centre[0] + radii[0] * float(np.cos(a)), centre[1] + radii[1] * float(np.sin(a)))
                for a in angles
            ],
            thickness,
            tone,
        )

    def _polygon(self, points: Sequence[tuple[float, float]], tone: Tone) -> None:
        cv2.fillPoly(
            self.canvas, [self._pixels(points)], _scalar(tone), cv2.LINE_8, _FIXED_POINT_BITS
        )

    def _line(self, points: Sequence[tuple[float, float]], thickness: float, tone: Tone) -> None:
        width = max(1, round(thickness * self.half_width_px))
        cv2.polylines(
            self.canvas,
            [self._pixels(points)],
            False,
            _scalar(tone),
            width,
            cv2.LINE_8,
            _FIXED_POINT_BITS,
        )

    def _pixels(self, points: Sequence[tuple[float, float]]) -> Array:
        pixels = np.array(points) * self.half_width_px + self.canvas_px / 2
        return np.rint(pixels * 2**_FIXED_POINT_BITS).astype(np.int32)


class _Tints:
    """The colours of a portrait, by which gray levels are multiplied; 1 in gray."""

    def __init__(self, generator: np.random.Generator, crop: CropSpec) -> None:
        one: Tone = 1.0
        self.skin = self.hair = self.background = self.iris = self.lips = self.white = one
        if crop.channels == 1:
            return
        uniform = generator.uniform
        self.skin = _tint(uniform(1.15, 1.4), 1.0, uniform(0.65, 0.9))
        self.hair = _tint(uniform(1.0, 1.9), 1.0, uniform(0.4, 1.0))
        self.background = _tint(*uniform(0.4, 1.6, 3))
        self.iris = _tint(*uniform(0.5, 1.5, 3))
        self.lips = _tint(uniform(1.2, 1.6), 0.8, 0.9)
        self.white = np.ones(3)


def _tint(red: float, green: float, blue: float) -> Floats:
    """Return the share of each channel, with a luminance of 1."""
    channels = np.array([red, green, blue])
    return np.asarray(channels / (channels @ _LUMINANCE), np.float64)


def photograph(
    canvas: Array,
    generator: np.random.Generator,
    colours: np.random.Generator,
    crop: CropSpec,
) -> Crop:
    """Return a crop of the head: tilted, shifted, scaled, lit from a side, with noise.

    Args:
        canvas: portrait, as `Portrait.draw` returned it.
        generator: random generator of everything but colours.
        colours: random generator of the colour of the light.
        crop: size and channels of the crop.

    Shape: float32 (canvas_px, canvas_px) -> uint8 (size_px, size_px), both with 3 channels in
        colour.
    """
    uniform, canvas_px, size_px = generator.uniform, len(canvas), crop.size_px
    tilt, scale = float(uniform(-14, 14)), float(uniform(0.98, 1.28))
    pose = cv2.getRotationMatrix2D((canvas_px / 2, canvas_px / 2), tilt, scale)
    pose[:, 2] = pose[:, 2] + uniform(-0.07, 0.07, 2) * canvas_px
    posed = cv2.warpAffine(
        canvas,
        pose,
        (canvas_px, canvas_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    small = cv2.resize(posed, (size_px, size_px), interpolation=cv2.INTER_AREA)
    blur = float(uniform(0.0, 0.8))
    if blur > 0.25:  # px of the default crop
        small = cv2.GaussianBlur(small, (0, 0), blur * size_px / CropSpec.size_px)
    direction, fall = float(uniform(0, 2 * np.pi)), float(uniform(0.0, 0.45))
    y, x = np.mgrid[-1 : 1 : size_px * 1j, -1 : 1 : size_px * 1j]
    light = 1 + fall * (x * np.cos(direction) + y * np.sin(direction))
    contrast, exposure = float(uniform(0.6, 1.2)), float(uniform(-25, 25))
    noise = generator.normal(0.0, uniform(2, 11), light.shape)
    if crop.channels == 3:
        light = light[..., None] * _tint(*colours.uniform(0.9, 1.1, 3))
        noise = noise[..., None]
    lit = (small * light - 128) * contrast + 128 + exposure
    return np.asarray(np.clip(np.rint(lit + noise), 0, 255), np.uint8)


def _scalar(tone: Tone) -> float | tuple[float, ...]:
    return tuple(tone.tolist()) if isinstance(tone, np.ndarray) else float(tone)


def _arc(points: int) -> list[float]:
    return [float(value) for value in np.linspace(-1, 1, points)]
