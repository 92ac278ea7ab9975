"""Images that hardly are: blank, nearly so, framed by a border, or not readable at all."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from mien.curation.findings import Finding, Item, refer
from mien.data import FaceDataset
from mien.images.crop import SIZE_PX, is_blank

_FAINT: Final = 8.0  # gray levels of standard deviation; a face in the dark has about 15
_BORDER_PX: Final = 4  # a twelfth of the side
_FLAT_LINE: Final = 4  # gray levels that a line of a border may vary by: JPEG does that

Counts = npt.NDArray[np.int64]


def find_bad_images(dataset: FaceDataset) -> list[Finding]:
    """Return what there is to say on images as pictures."""
    found = [_unreadable(dataset), _blank(dataset), _faint(dataset), _bordered(dataset)]
    return [finding for finding in found if finding is not None]


def border_widths(images: npt.NDArray[np.uint8]) -> Counts:
    """Return how wide each image's widest border is, in pixels: lines of nearly one gray level.

    Shape: uint8 (N, 48, 48) -> int64 (N,); 48 where all of the image is one gray level.
    """
    widest = np.zeros(len(images), np.int64)
    for axis in (1, 2):
        flat = np.ptp(images, axis=axis) <= _FLAT_LINE
        for lines in (flat, flat[:, ::-1]):
            widest = np.maximum(widest, np.cumprod(lines, axis=1).sum(1))
    return widest


def _unreadable(dataset: FaceDataset) -> Finding | None:
    if not dataset.skipped:
        return None
    count = len(dataset.skipped)
    return Finding(
        check="unreadable",
        severity="warning",
        title=f"{count:,} {'image' if count == 1 else 'images'} could not be used",
        count=count,
        why="Tools that skip them in silence train and measure on fewer images than they say.",
        what_to_do="Mend or remove the files or rows; until then --skip-bad leaves them out.",
        items=tuple(Item(images=(), note=line) for line in dataset.skipped),
    )


def _blank(dataset: FaceDataset) -> Finding | None:
    (rows,) = np.nonzero(is_blank(dataset.images))
    if len(rows) == 0:
        return None
    return Finding(
        check="blank",
        severity="warning",
        title=f"{len(rows):,} {'image shows' if len(rows) == 1 else 'images show'} nothing",
        count=len(rows),
        why="No expression can be learnt from an empty image, and none be right about it.",
        what_to_do="Drop them: mien data clean.",
        items=tuple(Item(images=refer(dataset, [row])) for row in rows),
    )


def _faint(dataset: FaceDataset) -> Finding | None:
    deviations = _deviations(dataset.images)
    (rows,) = np.nonzero((deviations < _FAINT) & ~is_blank(dataset.images))
    if len(rows) == 0:
        return None
    return Finding(
        check="near-constant",
        severity="note",
        title=f"{len(rows):,} {'image' if len(rows) == 1 else 'images'} of hardly any contrast",
        count=len(rows),
        why="Standardised, they are mostly noise.",
        what_to_do="Look at them, and drop those that show no face.",
        figures={"gray levels of standard deviation below": _FAINT},
        items=tuple(
            Item(images=refer(dataset, [row]), note=f"standard deviation {deviations[row]:.1f}")
            for row in sorted(rows, key=lambda row: float(deviations[row]))
        ),
    )


def _bordered(dataset: FaceDataset) -> Finding | None:
    widths = border_widths(dataset.images)
    (rows,) = np.nonzero((widths >= _BORDER_PX) & (widths < SIZE_PX))
    if len(rows) == 0:
        return None
    return Finding(
        check="bordered",
        severity="note",
        title=f"{len(rows):,} images have a border of {_BORDER_PX} px or more",
        count=len(rows),
        why="The face is smaller or cut off, and a border is a mark that a network can learn.",
        what_to_do="Crop them anew from their source, or leave them: a detector's crops have "
        "borders too, where a face is at a photo's edge.",
        figures={"median width in px": float(np.median(widths[rows]))},
        items=tuple(
            Item(images=refer(dataset, [row]), note=f"{widths[row]} px")
            for row in sorted(rows, key=lambda row: -int(widths[row]))
        ),
    )


def _deviations(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return np.array([image.std() for image in images])
