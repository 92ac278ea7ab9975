"""Draw faces with the seven expressions: demo, tests and CI need no download and no real person.

Each face is drawn from a random person (proportions, skin, hair, brows), an expression of random
strength (brows, lids, nose, mouth) and a random photograph (pose, lighting, blur, noise). Weak
expressions and large changes of pose make the classes overlap, as those of real faces do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import CLASS_COUNTS
from mien.data.rows import text_array
from mien.data.split import DEFAULT_FRACTIONS, assign_splits, split_ranks
from mien.errors import DataError
from mien.images.crop import SIZE_PX
from mien.labels import NUM_CLASSES
from mien.types import Array, Image, Labels

_CANVAS_PX: Final = 4 * SIZE_PX  # drawn large and averaged down, for smooth edges
_FIXED_POINT_BITS: Final = 4  # coordinates in sixteenths of a pixel


@dataclass(frozen=True)
class Expression:
    """Movements of a face, 0 at rest; 1 is a strong movement in the direction of the name."""

    inner_brow_up: float = 0.0
    outer_brow_up: float = 0.0
    eyes_open: float = 0.0
    nose_wrinkle: float = 0.0
    mouth_corners_up: float = 0.0
    mouth_open: float = 0.0
    mouth_wide: float = 0.0
    upper_lip_up: float = 0.0

    def at(self, strength: float, noise: Sequence[float]) -> Expression:
        """Return this expression with its movements scaled, and noise added to each."""
        moved = zip(vars(self).items(), noise, strict=True)
        return Expression(**{name: strength * value + off for (name, value), off in moved})


# In the order of EMOTIONS; two variants of an expression that people commonly show in two ways.
# Source: the action units of each emotion in Ekman and Friesen, Facial Action Coding System, 1978.
EXPRESSIONS: Final = (
    (  # angry
        Expression(-1.0, -0.1, -0.3, 0.2, -0.5, -0.1, -0.3),
        Expression(-1.0, 0.1, 0.4, 0.3, -0.3, 0.6, 0.3, 0.3),
    ),
    (Expression(-0.6, -0.3, -0.7, 1.0, -0.4, 0.2, -0.1, 0.9),),  # disgust
    (Expression(1.0, 0.5, 1.0, 0.0, -0.4, 0.45, 0.6),),  # fear
    (
        Expression(0.0, 0.1, -0.4, 0.0, 1.0, 0.5, 0.8, 0.2),
        Expression(0.0, 0.0, -0.2, 0.0, 1.0, 0.0, 0.6),
    ),  # happy
    (Expression(0.9, -0.5, -0.5, 0.0, -0.9, 0.0, -0.2),),  # sad
    (Expression(0.9, 1.0, 1.0, 0.0, 0.0, 1.0, -0.5),),  # surprise
    (Expression(),),  # neutral
)


def synthetic_faces(
    count: int, *, seed: int = 0, fractions: Sequence[float] = DEFAULT_FRACTIONS
) -> FaceDataset:
    """Draw a data set of faces, reproducibly.

    The same count and seed draw the same faces, though another build of OpenCV may round a pixel
    differently. Classes are as unbalanced as in FER-2013's Training split; from a few hundred
    images on, every class has an image in each split.

    Args:
        count: number of images.
        seed: seed of everything random.
        fractions: shares of train, val and test, which sum to 1.

    Raises:
        DataError: if `count` is less than the number of emotions.
    """
    if count < NUM_CLASSES:
        raise DataError(f"{count} faces, expected at least {NUM_CLASSES}, one for each emotion")
    generator = np.random.default_rng(seed)
    labels = _labels(count, generator)
    images = np.stack([draw_face(int(label), generator) for label in labels])
    unstated = np.full(count, "", "<U5")
    splits, _ = assign_splits(unstated, labels, fractions=fractions, seed=seed)
    order = np.argsort(split_ranks(splits), kind="stable")
    return FaceDataset(
        images=images[order],
        labels=labels[order],
        splits=splits[order],
        ids=text_array(f"face {number}" for number in range(1, count + 1)),
        name=f"synthetic-{count}",
        split_rule=f"drawn with seed {seed}, stratified",
    )


def draw_face(
    label: int, generator: np.random.Generator, *, strength: float | None = None
) -> Image:
    """Draw one face.

    Args:
        label: position in `mien.labels.EMOTIONS`.
        generator: random generator, for the person, the expression, the pose and the light.
        strength: strength of the expression, 0 to 1; by default random, from 0.3 to 1.

    Shape: -> uint8 (48, 48).
    """
    ways = EXPRESSIONS[label]
    way = ways[int(generator.integers(len(ways)))]
    if strength is None:
        strength = float(generator.uniform(0.3, 1.0))
    noise = generator.normal(0.0, 0.13, len(vars(way)))
    return _photograph(_Portrait(generator).draw(way.at(strength, noise.tolist())), generator)


def _labels(count: int, generator: np.random.Generator) -> Labels:
    shares = np.array(CLASS_COUNTS["Training"]) / sum(CLASS_COUNTS["Training"])
    counts = np.maximum(1, np.floor(shares * count)).astype(int)
    counts[int(np.argmax(counts))] += count - counts.sum()
    return generator.permutation(np.repeat(np.arange(NUM_CLASSES), counts)).astype(np.int64)


class _Portrait:
    """A random person's head on a canvas. Lengths are in half face widths from the centre."""

    def __init__(self, generator: np.random.Generator) -> None:
        uniform = generator.uniform
        self.skin = float(uniform(95, 215))
        self.hair = float(uniform(10, 130))
        self.background = float(uniform(10, 240))
        self.ink = self.skin * float(uniform(0.2, 0.45))
        self.half_width_px = _CANVAS_PX * float(uniform(0.30, 0.36))
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
        self.canvas = np.full((_CANVAS_PX, _CANVAS_PX), self.background, np.float32)

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
        self._ellipse((x, y), (self.eye_size * 1.15, open_by), min(255.0, self.skin * 1.25 + 20))
        iris = min(self.eye_size * 0.55, open_by * 1.05)
        self._ellipse((x, y), (iris, iris), self.ink * 0.5)
        lid = [(x + self.eye_size * 1.2 * a, y - open_by * (1 - a * a)) for a in _arc(7)]
        self._line(lid, 0.035, self.ink)
        if self.glasses:
            self._ring((x, y), (self.eye_size * 1.9, self.eye_size * 1.6), 0.04, self.ink)

    def _brow(self, side: int, face: Expression) -> None:
        middle = -0.12 - self.brow_above
        inner = (side * (self.eye_apart - 0.22) + self.turn, middle - 0.16 * face.inner_brow_up)
        outer = (side * (self.eye_apart + 0.26) + self.turn, middle - 0.13 * face.outer_brow_up)
        arch = ((inner[0] + outer[0]) / 2, (inner[1] + outer[1]) / 2 - 0.05)
        self._line([inner, arch, outer], self.brow_thick, min(self.hair, self.ink))

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
            self._polygon(upper + lower[::-1], self.ink * 0.5)
            if face.mouth_wide > 0.2 or face.upper_lip_up > 0.3:  # teeth show
                teeth = lip(opening * 0.05)
                self._polygon(upper + teeth[::-1], min(255.0, self.skin * 1.2 + 30))
        self._line(upper, 0.05, self.ink)
        self._line(lower, 0.05, self.skin * 0.6)

    def _ellipse(
        self, centre: tuple[float, float], radii: tuple[float, float], gray: float
    ) -> None:
        angles = np.linspace(0, 2 * np.pi, 33)[:-1]
        outline = [
            (centre[0] + radii[0] * float(np.cos(a)), centre[1] + radii[1] * float(np.sin(a)))
            for a in angles
        ]
        self._polygon(outline, gray)

    def _ring(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        thickness: float,
        gray: float,
    ) -> None:
        angles = np.linspace(0, 2 * np.pi, 25)
        self._line(
            [
                (centre[0] + radii[0] * float(np.cos(a)), centre[1] + radii[1] * float(np.sin(a)))
                for a in angles
            ],
            thickness,
            gray,
        )

    def _polygon(self, points: Sequence[tuple[float, float]], gray: float) -> None:
        cv2.fillPoly(self.canvas, [self._pixels(points)], gray, cv2.LINE_8, _FIXED_POINT_BITS)

    def _line(self, points: Sequence[tuple[float, float]], thickness: float, gray: float) -> None:
        width = max(1, round(thickness * self.half_width_px))
        cv2.polylines(
            self.canvas, [self._pixels(points)], False, gray, width, cv2.LINE_8, _FIXED_POINT_BITS
        )

    def _pixels(self, points: Sequence[tuple[float, float]]) -> Array:
        pixels = np.array(points) * self.half_width_px + _CANVAS_PX / 2
        return np.rint(pixels * 2**_FIXED_POINT_BITS).astype(np.int32)


def _photograph(canvas: Array, generator: np.random.Generator) -> Image:
    """Return a 48×48 image of the head: tilted, shifted, scaled, lit from a side, with noise."""
    uniform = generator.uniform
    tilt, scale = float(uniform(-14, 14)), float(uniform(0.98, 1.28))
    pose = cv2.getRotationMatrix2D((_CANVAS_PX / 2, _CANVAS_PX / 2), tilt, scale)
    pose[:, 2] = pose[:, 2] + uniform(-0.07, 0.07, 2) * _CANVAS_PX
    posed = cv2.warpAffine(
        canvas,
        pose,
        (_CANVAS_PX, _CANVAS_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    small = cv2.resize(posed, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    blur = float(uniform(0.0, 0.8))
    if blur > 0.25:
        small = cv2.GaussianBlur(small, (0, 0), blur)
    direction, fall = float(uniform(0, 2 * np.pi)), float(uniform(0.0, 0.45))
    y, x = np.mgrid[-1 : 1 : SIZE_PX * 1j, -1 : 1 : SIZE_PX * 1j]
    light = 1 + fall * (x * np.cos(direction) + y * np.sin(direction))
    contrast, exposure = float(uniform(0.6, 1.2)), float(uniform(-25, 25))
    lit = (small * light - 128) * contrast + 128 + exposure
    noisy = lit + generator.normal(0.0, uniform(2, 11), lit.shape)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def _arc(points: int) -> list[float]:
    return [float(value) for value in np.linspace(-1, 1, points)]
