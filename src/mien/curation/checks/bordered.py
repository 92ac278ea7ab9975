"""Check for images with a border of one gray level."""

from __future__ import annotations

from typing import Final

import numpy as np

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding, Item, count_of, refer
from mien.images.crop import RELEASE_EVERY
from mien.io.mapped import release_pages
from mien.types import Images, Integers

_SHARE: Final = 12  # a border is at least a twelfth of the side
_FLAT_LEVELS: Final = 4  # largest range of gray levels in a line of a border; JPEG causes some


@CHECKS.register("bordered")
class Bordered(Check):
    """Images with a border on at least one side."""

    order = 100
    passed = "no images with a border"

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all images with a border, the widest border first."""
        side_px = subject.dataset.crop.size_px
        border_px = side_px // _SHARE
        widths = border_widths(subject.dataset.images)
        (rows,) = np.nonzero((widths >= border_px) & (widths < side_px))
        if len(rows) == 0:
            return []
        return [
            Finding(
                check="bordered",
                severity="note",
                title=f"{count_of(rows, 'image has', 'images have')} a border of {border_px} px "
                "or more",
                count=len(rows),
                why="The face is smaller or cut off, and a network can learn the border instead of "
                "the expression.",
                what_to_do="Crop them again from their source, or leave them: a detector's crops "
                "have borders too, where a face is at the edge of a photo.",
                figures={"median width in px": float(np.median(widths[rows]))},
                items=tuple(
                    Item(images=refer(subject.dataset, [row]), note=f"{widths[row]} px")
                    for row in sorted(rows, key=lambda row: -int(widths[row]))
                ),
            )
        ]


def border_widths(images: Images) -> Integers:
    """Return the width of each image's widest border, in pixels.

    A border consists of lines of nearly one gray level, or of nearly one colour.

    Shape: uint8 (N, *crop.shape) -> int64 (N,); the side for an image of one gray level.
    """
    widest = np.zeros(len(images), np.int64)
    for start in range(0, len(images), RELEASE_EVERY):
        rows = slice(start, start + RELEASE_EVERY)
        for axis in (1, 2):
            flat = np.ptp(images[rows], axis=axis) <= _FLAT_LEVELS
            flat = flat if flat.ndim == 2 else flat.all(2)  # in every channel
            for lines in (flat, flat[:, ::-1]):
                widest[rows] = np.maximum(widest[rows], np.cumprod(lines, axis=1).sum(1))
        release_pages(images)
    return widest
