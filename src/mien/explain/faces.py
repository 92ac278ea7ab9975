"""The faces to explain: the largest ones in some photos, with their readings and their maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle
from mien.data import FaceDataset
from mien.errors import SourceError
from mien.explain.network import find_network
from mien.explain.occlusion import occlusion_maps
from mien.types import Crop
from mien.vision.reader import Reader
from mien.vision.reading import Reading
from mien.vision.sources import Source, SourceLike, open_source

if TYPE_CHECKING:
    from mien.explain.sanity import Sanity
    from mien.models import Classifier


@dataclass(frozen=True, eq=False)
class ReadFace:
    """A face and its reading.

    Args:
        crop: face crop that was read.
        reading: position of the face, and the class that was read in it.
    """

    crop: Crop
    reading: Reading


@dataclass(frozen=True)
class ReadFaces:
    """The result of `read_faces`.

    Args:
        faces: the largest faces, in the order of their photos.
        found: number of all faces.
        photos: number of photos that could be read.
    """

    faces: tuple[ReadFace, ...]
    found: int
    photos: int


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A similar face of a data set.

    Args:
        image: face crop.
        label: class that the face is labelled with.
    """

    image: Crop
    label: str


@dataclass(frozen=True, eq=False)
class FaceMaps:
    """A face and its explanation.

    Args:
        face: the face and its reading.
        occlusion: map of `mien.explain.occlusion`. Shape: float32 (size_px, size_px).
        cam: map of `mien.explain.grad_cam`; None without gradients. Shape: float32 (size_px,
            size_px).
        nearest: the most similar faces of a data set, the nearest first.
    """

    face: ReadFace
    occlusion: npt.NDArray[np.float32]
    cam: npt.NDArray[np.float32] | None = None
    nearest: Sequence[Neighbour] = ()

    @property
    def drop(self) -> float:
        """Drop of the probability when the most important region is covered, 0 to 1."""
        return max(0.0, float(self.occlusion.max()))


def read_faces(reader: Reader, source: Source, *, most: int) -> ReadFaces:
    """Read the faces in photos and keep the largest.

    Args:
        reader: reader that finds the faces and reads them.
        source: opened photos; afterwards its ``failures`` list those that could not be read.
        most: number of faces to keep.

    Raises:
        SourceError: if the source is a video, a camera or a stream, or a single photo that cannot
            be read.
    """
    if source.kind != "photos":
        what = "video" if source.kind == "video" else "a camera or a stream"
        raise SourceError(
            f"{source.name or 'the sources'}: {what}, but only photos are explained; save the "
            "faces with mien predict --save-crops FOLDER, then explain FOLDER with --crops"
        )
    kept: list[tuple[int, ReadFace]] = []
    found = photos = 0
    for frame, readings in reader.stream(source):
        photos += 1
        for reading in readings:
            kept.append((found, ReadFace(reader.crop(frame.image, reading), reading)))
            found += 1
        kept = sorted(kept, key=lambda item: -_area(item[1].reading))[:most]
    in_order = sorted(kept, key=lambda item: item[0])
    return ReadFaces(tuple(face for _, face in in_order), found, photos)


def explain_photo(
    source: SourceLike, model: str | Path | None = None, *, most: int = 12
) -> list[FaceMaps]:
    """Return the largest faces in photos, with maps of what their readings depend on.

    Args:
        source: photo, or anything else that `mien.read` accepts and that holds photos only.
        model: run directory or Bundle; None for the best shipped Bundle.
        most: number of faces to explain.

    Raises:
        BundleError: if there is no such Bundle.
        SourceError: if a photo cannot be read, or the source is a video or a camera.
    """
    reader = Reader(model)
    with open_source(source) as opened:
        read = read_faces(reader, opened, most=most)
    if opened.failures:
        raise opened.failures[0]
    if not read.faces:
        return []
    return explain_faces(reader.bundle, find_network(model)[0], read.faces)[0]


def explain_faces(
    bundle: Bundle,
    classifier: Classifier | None,
    faces: Sequence[ReadFace],
    *,
    known: FaceDataset | None = None,
) -> tuple[list[FaceMaps], Sanity | None]:
    """Return the maps of each face for the class that was read in it, and a check of them.

    Args:
        bundle: Bundle that read the faces.
        classifier: network of the Bundle, for Grad-CAM and similar faces; None if neither is
            wanted.
        faces: faces to explain, at least one.
        known: data set to search for similar faces; None for no search.

    Returns:
        The explained faces in the same order; and the sanity check of the Grad-CAM maps, which is
        None if there are no maps, or all are empty.
    """
    images = np.stack([face.crop for face in faces])
    labels = np.array([bundle.labels.index(face.reading.emotion) for face in faces])
    occlusion = occlusion_maps(bundle, images, labels)
    if classifier is None:
        return [FaceMaps(*pair) for pair in zip(faces, occlusion, strict=True)], None
    # Imported here: occlusion needs no torch.
    from mien.explain.grad_cam import grad_cam
    from mien.explain.neighbours import nearest_faces
    from mien.explain.sanity import check_maps

    cam = grad_cam(classifier, images, labels)
    nearest: Sequence[Sequence[Neighbour]] = [()] * len(faces)
    if known is not None:
        nearest = [
            [Neighbour(known.images[row], known.names[known.labels[row]]) for row in rows]
            for rows in nearest_faces(classifier, images, known.images)
        ]
    explained = [FaceMaps(*one) for one in zip(faces, occlusion, cam, nearest, strict=True)]
    return explained, check_maps(classifier, images, labels)


def _area(reading: Reading) -> int:
    left, top, right, bottom = reading.box
    return (right - left) * (bottom - top)
