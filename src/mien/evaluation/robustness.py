"""Robustness: a Bundle's accuracy on faces that are blurred, noisy, dark, covered, turned or small.

Each corruption has five strengths; its accuracy is compared with that on the unchanged faces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mien.bundle.bundle import Bundle
from mien.bundle.scores import Record
from mien.evaluation.metrics import Counts, Floats
from mien.images.crop import DEFAULT_CROP, to_image
from mien.types import Array, Image, Images, Labels, Mask

STRENGTHS: Final = 5
FACES: Final = 200  # number of faces drawn from a split; 50 changed copies of each are read
_GRAY: Final = 128

Change = Callable[[Images, float, np.random.Generator], Images]


@dataclass(frozen=True)
class Corruption:
    """A kind of corruption with its five strengths.

    Args:
        change: function that corrupts images by an amount.
        amounts: amount of each strength, for crops of the default side.
        grows: whether the amounts are lengths on the crop, in pixels, which grow with its side so
            that the corruption looks the same.
    """

    change: Change
    amounts: tuple[float, ...]
    grows: bool = False

    def amounts_at(self, side_px: int) -> tuple[float, ...]:
        """Return the amount of each strength for crops of a side, in pixels."""
        if not self.grows or side_px == DEFAULT_CROP.size_px:
            return self.amounts
        return tuple(amount * side_px / DEFAULT_CROP.size_px for amount in self.amounts)


class Robustness(Record):
    """Accuracies on corrupted faces."""

    images: int
    """Number of faces behind each accuracy."""
    clean: float
    """Accuracy on the unchanged faces."""
    accuracy: dict[str, tuple[float, ...]]
    """Accuracy under each corruption, at its five strengths."""
    amounts: dict[str, tuple[float, ...]]
    """Strengths of each corruption, in the unit that its name states."""
    mean: float
    """Mean corruption accuracy, over all corruptions and strengths."""
    seed: int
    """Seed of the draw of faces and of the noise."""


def measure_robustness(
    bundle: Bundle,
    images: Images,
    labels: Labels,
    *,
    faces: int = FACES,
    seed: int = 0,
) -> Robustness:
    """Return a Bundle's accuracy on corrupted faces.

    Args:
        bundle: Bundle that reads the faces.
        images: images of a split.
        labels: labels of the images.
        faces: number of faces to draw; if there are fewer images, all are used.
        seed: seed of the draw and of the noise.

    Shape: uint8 (N, side, side) or (N, side, side, 3), (N,); N at least 1.
    Source: Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions
    and Perturbations, 2019; deviations: corruptions that make sense for small face crops, and
    accuracy itself instead of an error relative to another network.
    """
    rows = draw_faces(len(images), faces, seed=seed)
    drawn, truth = images[rows], labels[rows]
    right = read_changed(bundle, drawn, truth, seed=seed)
    clean = _right(bundle, drawn, truth)
    return summarize(right, clean=clean, side_px=images.shape[1], seed=seed)


def draw_faces(images: int, faces: int, *, seed: int) -> Counts:
    """Return the positions of drawn faces, without replacement and in ascending order.

    Args:
        images: number of images to draw from.
        faces: number of faces to draw; if there are fewer images, all are used.
        seed: seed of the draw.
    """
    return np.sort(np.random.default_rng(seed).permutation(images)[:faces])


def read_changed(
    bundle: Bundle, images: Images, labels: Labels, *, seed: int = 0
) -> dict[str, Mask]:
    """Return whether each face is read as labelled, under each corruption at each strength.

    Args:
        bundle: Bundle that reads the faces.
        images: faces, all of which are corrupted.
        labels: labels of the faces.
        seed: seed of the noise.

    Shape: uint8 (N, side, side) or (N, side, side, 3), (N,) -> bool (5, N) for each corruption.
    """

    def right(change: Change, amount: float, index: int) -> Mask:
        changed = change(images, amount, np.random.default_rng((seed, index)))
        return _right(bundle, changed, labels)

    return {
        name: np.stack(
            [
                right(corruption.change, amount, index)
                for index, amount in enumerate(corruption.amounts_at(images.shape[1]))
            ]
        )
        for name, corruption in CORRUPTIONS.items()
    }


def summarize(right: Mapping[str, Mask], *, clean: Mask, side_px: int, seed: int) -> Robustness:
    """Return the accuracies of the answers that `read_changed` returned.

    Args:
        right: hits under each corruption, True for each face that was read as labelled. Shape:
            (5, N).
        clean: hits on the unchanged faces. Shape: (N,).
        side_px: side of the face crops, in pixels.
        seed: seed of the draw and of the noise.
    """
    found = {name: tuple(float(one.mean()) for one in rows) for name, rows in right.items()}
    return Robustness(
        images=len(clean),
        clean=float(clean.mean()),
        accuracy=found,
        amounts={name: one.amounts_at(side_px) for name, one in CORRUPTIONS.items()},
        mean=float(np.mean(list(found.values()))),
        seed=seed,
    )


def _right(bundle: Bundle, images: Images, labels: Labels) -> Mask:
    return np.asarray(bundle.predict(images)[0].argmax(1) == labels)


def _each(change: Callable[[Image], Array]) -> Callable[[Images], Images]:
    """Return a change of one image as a change of many, which takes the memory of one as floats."""

    def changed(images: Images) -> Images:
        return np.stack([np.asarray(change(image)) for image in images]).astype(np.uint8)

    return changed


def _to_levels(values: Floats) -> Image:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _blur(images: Images, sigma_px: float, _: np.random.Generator) -> Images:
    return _each(lambda image: cv2.GaussianBlur(image, (0, 0), sigma_px))(images)


def _noise(images: Images, std: float, generator: np.random.Generator) -> Images:
    return _each(lambda image: _to_levels(image + generator.normal(0, std, image.shape)))(images)


def _brightness(images: Images, factor: float, _: np.random.Generator) -> Images:
    return _each(lambda image: _to_levels(image * factor))(images)


def _contrast(images: Images, factor: float, _: np.random.Generator) -> Images:
    def flatter(image: Image) -> Array:
        mean = image.mean()
        return _to_levels(mean + (image - mean) * factor)

    return _each(flatter)(images)


def _cover(top: float, bottom: float) -> Change:
    """Return a corruption that covers a share of a band of the face with gray, from its middle."""

    def cover(images: Images, share: float, _: np.random.Generator) -> Images:
        middle, half = (top + bottom) / 2, share * (bottom - top) / 2
        side = images.shape[1]
        covered = images.copy()
        covered[:, round(side * (middle - half)) : round(side * (middle + half))] = _GRAY
        return covered

    return cover


def _rotate(images: Images, degrees: float, generator: np.random.Generator) -> Images:
    turns = degrees * generator.choice([-1, 1], len(images))
    centre = ((images.shape[1] - 1) / 2,) * 2
    return _warp(images, [np.asarray(cv2.getRotationMatrix2D(centre, t, 1)) for t in turns])


def _shift(images: Images, pixels: float, generator: np.random.Generator) -> Images:
    angles = generator.uniform(0, 2 * np.pi, len(images))
    moves = pixels * np.stack([np.cos(angles), np.sin(angles)], 1)
    return _warp(images, [np.array([[1, 0, x], [0, 1, y]]) for x, y in moves])


def _warp(images: Images, matrices: list[Array]) -> Images:
    warped = [
        cv2.warpAffine(image, matrix, image.shape[:2], borderMode=cv2.BORDER_REFLECT_101)
        for image, matrix in zip(images, matrices, strict=True)
    ]
    return np.stack([np.asarray(image) for image in warped]).astype(np.uint8)


def _jpeg(images: Images, quality: float, _: np.random.Generator) -> Images:
    def stored(image: Image) -> Array:
        # As OpenCV's blue-green-red: JPEG keeps brightness better than colours.
        _, content = cv2.imencode(".jpg", to_image(image), [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
        return to_image(np.asarray(cv2.imdecode(content, cv2.IMREAD_UNCHANGED), np.uint8))

    return _each(stored)(images)


def _shrink(images: Images, side_px: float, _: np.random.Generator) -> Images:
    def small(image: Image) -> Array:
        # A face of this side looks the same whichever crop it was, so the side does not grow.
        side = min(round(side_px), len(image))
        shrunk = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(shrunk, image.shape[:2], interpolation=cv2.INTER_LINEAR))

    return _each(small)(images)


# FER-2013's faces fill their crops: eyes lie at about 2/5 of the height, mouths at about 4/5.
CORRUPTIONS: Final[dict[str, Corruption]] = {
    "blur (std, px)": Corruption(_blur, (0.5, 1.0, 1.5, 2.0, 3.0), grows=True),
    "noise (std, gray levels)": Corruption(_noise, (5, 10, 20, 30, 45)),
    "brightness (factor)": Corruption(_brightness, (0.3, 0.5, 0.7, 1.4, 1.8)),
    "contrast (factor)": Corruption(_contrast, (0.7, 0.5, 0.3, 0.2, 0.1)),
    "eyes covered (share of their band)": Corruption(_cover(0.25, 0.55), (0.2, 0.4, 0.6, 0.8, 1.0)),
    "mouth covered (share of its band)": Corruption(_cover(0.62, 0.95), (0.2, 0.4, 0.6, 0.8, 1.0)),
    "rotation (degrees)": Corruption(_rotate, (5, 10, 20, 30, 45)),
    "shift (px)": Corruption(_shift, (1, 2, 4, 6, 9), grows=True),
    "JPEG (quality)": Corruption(_jpeg, (60, 40, 25, 15, 8)),
    "low resolution (side, px)": Corruption(_shrink, (36, 28, 24, 18, 12)),
}
