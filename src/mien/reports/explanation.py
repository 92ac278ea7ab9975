"""The page of ``mien explain``: Grad-CAM and occlusion maps of the faces in photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from mien.bundle.metadata import BundleMetadata
from mien.explain.faces import FaceMaps, ReadFaces
from mien.io.files import write_text
from mien.labels import named_labels
from mien.reports.figures.overlay import LEAST_DROP, enlarge, heat_legend, overlay
from mien.reports.pages import render_page
from mien.types import Image

if TYPE_CHECKING:
    from mien.explain.sanity import Sanity

_SHOWN: Final = 6  # faces; more are folded
_FEWEST: Final = 5  # faces whose maps are compared, for a sanity check that counts as passed


def write_explanations(
    path: Path,
    faces: Sequence[FaceMaps],
    read: ReadFaces,
    metadata: BundleMetadata,
    *,
    sanity: Sanity | None = None,
    without: str = "",
) -> None:
    """Write the page: one file that opens anywhere and holds the faces.

    Args:
        path: path of the page.
        faces: explained faces.
        read: all faces and photos that were read, for their numbers.
        metadata: metadata of the Bundle that read the faces.
        sanity: sanity check of the Grad-CAM maps; None if there are no maps, or all are empty.
        without: reason why there are no Grad-CAM maps, and how to get them; empty if there are.
    """
    page = render_page(
        "explanation.html",
        verdict=_verdict(faces),
        faces=faces,
        most=_SHOWN,
        fewest=_FEWEST,
        read=read,
        metadata=metadata,
        sanity=sanity,
        sanity_result=None if sanity is None else sanity_result(sanity),
        without=without,
        legend=heat_legend(),
        classes=list(zip(metadata.labels, named_labels(metadata.labels).colours, strict=True)),
        nearest=any(face.nearest for face in faces),
        enlarge=enlarge,
        overlay=overlay,
        draw_occlusion=draw_occlusion,
        agreement=measure_agreement,
    )
    write_text(path, page)


def draw_occlusion(face: FaceMaps) -> Image:
    """Return a face under its occlusion map: the brighter a region, the larger the drop."""
    return overlay(face.face.crop, face.occlusion / max(face.drop, LEAST_DROP))


def sanity_result(sanity: Sanity) -> str:
    """Return the result of a sanity check: ``passed``, ``not passed`` or ``too few faces``.

    Args:
        sanity: sanity check of Grad-CAM maps. On few faces a low correlation may be chance.
    """
    if not sanity.passed:
        return "not passed"
    return "passed" if sanity.images >= _FEWEST else "too few faces"


def measure_agreement(face: FaceMaps) -> float | None:
    """Return the correlation of a face's Grad-CAM and occlusion maps (Pearson).

    It is None without Grad-CAM, or if one of the maps is the same everywhere.
    """
    if face.cam is None or np.ptp(face.cam) == 0 or np.ptp(face.occlusion) == 0:
        return None
    return float(np.corrcoef(face.cam.ravel(), face.occlusion.ravel())[0, 1])


def _verdict(faces: Sequence[FaceMaps]) -> str:
    """Return the result in a sentence."""
    if len(faces) == 1:
        (face,) = faces
        emotion, drop = face.face.reading.emotion, round(100 * face.drop)
        likely = " most likely" if face.face.reading.uncertain else ""
        share = f"{face.face.reading.probabilities[emotion]:.0%}"
        if face.drop < LEAST_DROP:
            return (
                f"The face is read as{likely} {emotion} ({share}), and no single region matters "
                "much for it."
            )
        return (
            f"The face is read as{likely} {emotion} ({share}); covering the region that matters "
            f"most lowers this by {drop} percentage points."
        )
    counts = Counter(one.face.reading.emotion for one in faces).most_common()
    emotions = ", ".join(f"{count} as {emotion}" for emotion, count in counts)
    depending = sum(one.drop >= LEAST_DROP for one in faces)
    unsure = sum(one.face.reading.uncertain for one in faces)
    return (
        f"{len(faces)} faces are read: {emotions}{f' ({unsure} uncertain)' if unsure else ''}; for "
        f"{depending or 'none'} of them, covering one region lowers the probability by "
        f"{round(100 * LEAST_DROP)} percentage points or more."
    )
