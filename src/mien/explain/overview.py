"""An explanation of a whole split: examples of each class, and means over faces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle
from mien.explain.network import find_network
from mien.explain.occlusion import mean_occlusion
from mien.images.crop import RELEASE_EVERY
from mien.io.mapped import release_pages
from mien.types import Crop, Images, Labels

if TYPE_CHECKING:
    from mien.explain.sanity import Sanity

_PER_GROUP: Final = 2  # faces of a class read as labelled, and as many read otherwise
_SEED: Final = 0

# Bands of a crop in FER-2013's framing, as shares of its height; the robustness suite covers them.
EYES: Final = (0.25, 0.55)
MOUTH: Final = (0.62, 0.95)


@dataclass(frozen=True, eq=False)
class Example:
    """A face with the evidence for the class that was read in it.

    Args:
        image: face crop.
        label: class that the face is labelled with.
        emotion: class that was read.
        cam: Grad-CAM map of the class that was read. Shape: float32 (size_px, size_px).
    """

    image: Crop
    label: str
    emotion: str
    cam: npt.NDArray[np.float32]

    @property
    def right(self) -> bool:
        """Whether the face was read as labelled."""
        return self.label == self.emotion


@dataclass(frozen=True, eq=False)
class Importance:
    """The mean occlusion map of a class, and its means over the bands of eyes and mouth.

    Args:
        emotion: name of the class.
        face: mean face of the class.
        map: mean drop of the probability at each pixel. Shape: float32 (size_px, size_px).
        eyes: mean drop over the band of the eyes.
        mouth: mean drop over the band of the mouth.
    """

    emotion: str
    face: Crop
    map: npt.NDArray[np.float32]
    eyes: float
    mouth: float


@dataclass(frozen=True, eq=False)
class Overview:
    """The explanation of a split.

    Args:
        examples: example faces by class, those read as labelled first; empty without gradients.
        importances: mean occlusion map of each class in the split.
        sanity: sanity check of the Grad-CAM maps; None without gradients, or if all are empty.
        without: reason why there are no gradients, and how to get them; empty if there are.
    """

    examples: tuple[Example, ...]
    importances: tuple[Importance, ...]
    sanity: Sanity | None
    without: str


def explain_split(
    model: str | Path, bundle: Bundle, images: Images, labels: Labels, predictions: Labels
) -> Overview:
    """Return the explanation of a Bundle's predictions on a split.

    Args:
        model: run or Bundle whose float weights give the gradients, as for `load_network`.
        bundle: Bundle that read the faces.
        images: face crops of the split.
        labels: labels of the images.
        predictions: classes that the Bundle read in the images.

    Shape: uint8 (N, size_px, size_px) or (N, size_px, size_px, 3), (N,), (N,); N at least 1.
    """
    importances = _measure_importances(bundle, images, labels)
    classifier, without = find_network(model)
    if classifier is None:
        return Overview((), importances, None, without)
    # Imported here: without torch there is no network, but the importances can be measured.
    from mien.explain.grad_cam import grad_cam
    from mien.explain.sanity import check_maps

    names = bundle.labels
    rows = _draw_examples(labels, predictions, len(names))
    cams = grad_cam(classifier, images[rows], predictions[rows])
    examples = tuple(
        Example(images[row], names[labels[row]], names[predictions[row]], cam)
        for row, cam in zip(rows, cams, strict=True)
    )
    sanity = check_maps(classifier, images[rows], predictions[rows], seed=_SEED)
    return Overview(examples, importances, sanity, "")


def _draw_examples(labels: Labels, predictions: Labels, classes: int) -> npt.NDArray[np.intp]:
    """Return positions of faces of every class, drawn at random, those read as labelled first."""
    order = np.random.default_rng(_SEED).permutation(len(labels))
    drawn = [
        order[(labels[order] == label) & ((predictions[order] == label) == right)][:_PER_GROUP]
        for label in range(classes)
        for right in (True, False)
    ]
    return np.concatenate(drawn)


def _measure_importances(bundle: Bundle, images: Images, labels: Labels) -> tuple[Importance, ...]:
    maps = mean_occlusion(bundle, images, labels, seed=_SEED)
    return tuple(
        Importance(
            emotion=bundle.labels[label],
            face=_mean_face(images, np.flatnonzero(labels == label)),
            map=maps[label],
            eyes=float(_band(maps[label], EYES).mean()),
            mouth=float(_band(maps[label], MOUTH).mean()),
        )
        for label in np.unique(labels)
    )


def _mean_face(images: Images, rows: npt.NDArray[np.intp]) -> Crop:
    """Return the mean of some images, a block of which is in memory at a time."""
    total = np.zeros(images.shape[1:], np.int64)
    for start in range(0, len(rows), RELEASE_EVERY):
        total += images[rows[start : start + RELEASE_EVERY]].sum(0, dtype=np.int64)
        release_pages(images)
    return np.rint(total / len(rows)).astype(np.uint8)


def _band(drops: npt.NDArray[np.float32], shares: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Return the rows of a map between two shares of its height."""
    top, bottom = shares
    return drops[round(len(drops) * top) : round(len(drops) * bottom)]
