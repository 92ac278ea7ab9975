"""Where a network looks on a whole split: examples of each emotion, and means over faces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle
from mien.errors import MienError
from mien.explain.grad_cam import Maps, grad_cam
from mien.explain.network import load_network
from mien.explain.occlusion import Images, Labels, mean_occlusion
from mien.explain.sanity import Sanity, check_maps
from mien.images.crop import SIZE_PX
from mien.labels import EMOTIONS, NUM_CLASSES
from mien.types import Image

_OF_EACH: Final = 2  # faces of an emotion read rightly, and as many read wrongly
_SEED: Final = 0

# Of the height of a crop as FER-2013 has them; the robustness suite covers the same.
EYES: Final = (0.25, 0.55)
MOUTH: Final = (0.62, 0.95)


@dataclass(frozen=True, eq=False)
class Example:
    """A face, and what in it speaks for the emotion that was read.

    Args:
        image: the face. Shape: uint8 (48, 48).
        label: its emotion, as labelled.
        emotion: that was read.
        cam: Grad-CAM for that. Shape: float32 (48, 48).
    """

    image: Image
    label: str
    emotion: str
    cam: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Importance:
    """How much less probable an emotion becomes where its faces are covered.

    Args:
        emotion: that is read.
        face: the mean of its faces. Shape: uint8 (48, 48).
        map: the mean drop of the probability. Shape: float32 (48, 48).
        eyes: mean drop over the band of the eyes.
        mouth: mean drop over that of the mouth.
    """

    emotion: str
    face: Image
    map: npt.NDArray[np.float32]
    eyes: float
    mouth: float


@dataclass(frozen=True, eq=False)
class Overview:
    """What `explain_split` found.

    Args:
        examples: by emotion, those read rightly first; none where there are no gradients.
        importances: one an emotion that the split has.
        sanity: whether Grad-CAM's maps follow the weights; None where there are none.
        without: why there are no gradients, and how to get them; empty where there are.
    """

    examples: tuple[Example, ...]
    importances: tuple[Importance, ...]
    sanity: Sanity | None
    without: str


def explain_split(
    model: str | Path, bundle: Bundle, images: Images, labels: Labels, predictions: Labels
) -> Overview:
    """Explain a Bundle's readings of a split.

    Args:
        model: what `load_network` takes, for the gradients.
        bundle: that read the faces.
        images: of the split.
        labels: of the images.
        predictions: what was read.

    Shape: uint8 (N, 48, 48), (N,), (N,); N at least 1.
    """
    importances = _measure_importances(bundle, images, labels)
    try:
        classifier = load_network(model)
    except MienError as error:
        return Overview((), importances, None, str(error))
    rows = _draw_examples(labels, predictions)
    cams: Maps = grad_cam(classifier, images[rows], predictions[rows])
    examples = tuple(
        Example(images[row], EMOTIONS[labels[row]], EMOTIONS[predictions[row]], cam)
        for row, cam in zip(rows, cams, strict=True)
    )
    sanity = check_maps(classifier, images[rows], predictions[rows], seed=_SEED)
    return Overview(examples, importances, sanity, "")


def _draw_examples(labels: Labels, predictions: Labels) -> npt.NDArray[np.intp]:
    """Draw faces of every emotion by chance, those read rightly first."""
    order = np.random.default_rng(_SEED).permutation(len(labels))
    drawn = [
        order[(labels[order] == label) & ((predictions[order] == label) == right)][:_OF_EACH]
        for label in range(NUM_CLASSES)
        for right in (True, False)
    ]
    return np.concatenate(drawn)


def _measure_importances(bundle: Bundle, images: Images, labels: Labels) -> tuple[Importance, ...]:
    maps = mean_occlusion(bundle, images, labels, seed=_SEED)
    return tuple(
        Importance(
            emotion=EMOTIONS[label],
            face=np.rint(images[labels == label].mean(0)).astype(np.uint8),
            map=maps[label],
            eyes=float(maps[label][_rows(EYES)].mean()),
            mouth=float(maps[label][_rows(MOUTH)].mean()),
        )
        for label in np.unique(labels)
    )


def _rows(band: tuple[float, float]) -> slice:
    top, bottom = band
    return slice(round(SIZE_PX * top), round(SIZE_PX * bottom))
