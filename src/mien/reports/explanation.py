"""The page of ``mien explain``: Grad-CAM and occlusion maps of the faces in photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.bundle.metadata import BundleMetadata
from mien.explain.faces import FaceMaps, ReadFaces
from mien.io.files import write_text
from mien.labels import named_labels
from mien.reports.figures.overlay import LEAST_DROP, enlarge, heat_legend, overlay
from mien.reports.pages import render_page
from mien.types import Image

if TYPE_CHECKING:
    from mien.explain.sanity import Sanity


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
        faces=faces,
        read=read,
        metadata=metadata,
        sanity=sanity,
        without=without,
        legend=heat_legend(),
        classes=list(zip(metadata.labels, named_labels(metadata.labels).colours, strict=True)),
        nearest=any(face.nearest for face in faces),
        enlarge=enlarge,
        overlay=overlay,
        draw_occlusion=draw_occlusion,
    )
    write_text(path, page)


def draw_occlusion(face: FaceMaps) -> Image:
    """Return a face under its occlusion map: the brighter a region, the larger the drop."""
    return overlay(face.face.crop, face.occlusion / max(face.drop, LEAST_DROP))
