"""Maps over faces, and the page that shows them: where a network looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import BundleMetadata
from mien.explain.faces import ReadFace, ReadFaces
from mien.images.crop import SIZE_PX
from mien.io.files import write_text
from mien.labels import COLOURS, EMOTIONS
from mien.reports.pages import environment, to_png
from mien.types import Image

if TYPE_CHECKING:
    from mien.explain.overview import Overview
    from mien.explain.sanity import Sanity

_SHOWN_PX: Final = 3 * SIZE_PX
_OPACITY: Final = 0.75  # where the map is highest: what is under it can still be seen
_SMOOTHING_PX: Final = 4.0  # of the shown picture: edges of cells and patches are no finding
_GRAY: Final = 128

# A probability that no patch lowers by more is hardly tied to a place: its map stays pale instead
# of being blown up to full brightness.
LEAST_DROP: Final = 0.05

Maps = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A face of a data set that the network takes for alike.

    Args:
        image: the face. Shape: uint8 (48, 48).
        label: its emotion, as labelled.
    """

    image: Image
    label: str


@dataclass(frozen=True, eq=False)
class FaceMaps:
    """What is known of one face.

    Args:
        face: what was read, and from what.
        occlusion: of `mien.explain.occlusion`. Shape: float (48, 48).
        cam: of `mien.explain.grad_cam`; None where there are no gradients. Shape: float (48, 48).
        nearest: faces of a data set that the network takes for alike.
    """

    face: ReadFace
    occlusion: Maps
    cam: Maps | None = None
    nearest: Sequence[Neighbour] = ()

    @property
    def drop(self) -> float:
        """By how much covering the most important place lowers the probability."""
        return max(0.0, float(self.occlusion.max()))

    @property
    def png(self) -> str:
        """The face as it was read."""
        return to_png(_enlarge(self.face.crop))

    @property
    def cam_png(self) -> str:
        """The face under its Grad-CAM map; empty where there is none."""
        return "" if self.cam is None else overlay(self.face.crop, self.cam)

    @property
    def occlusion_png(self) -> str:
        """The face under its occlusion map, the brighter the larger the drop."""
        return overlay(self.face.crop, self.occlusion / max(self.drop, LEAST_DROP))


def overlay(image: Image, heat: Maps) -> str:
    """Return a face under a map as a page holds it: PNG in base64, 144×144.

    The colours are Inferno's, which colour-blind readers can follow and print keeps in order; where
    the map is 0, the face shows through as it is.

    Args:
        image: the face.
        heat: the map, from 0 to 1; what is beyond is taken for that.

    Shape: uint8 (48, 48), float (48, 48).
    """
    size = (_SHOWN_PX, _SHOWN_PX)
    large = cv2.resize(np.clip(heat, 0, 1).astype(np.float32), size)
    smooth = np.asarray(cv2.GaussianBlur(large, (0, 0), _SMOOTHING_PX), np.float32)
    return to_png(_blend(_enlarge(image), smooth))


def show_overview(overview: Overview) -> dict[str, Any]:
    """Return an `Overview` as the report's page shows it; its occlusion maps share one scale."""
    most = max((float(one.map.max()) for one in overview.importances), default=0.0)
    scale = max(most, LEAST_DROP)
    return {
        "importances": [
            {**vars(one), "png": overlay(one.face, one.map / scale)} for one in overview.importances
        ],
        "examples": [
            {**vars(one), "png": overlay(one.image, one.cam), "right": one.label == one.emotion}
            for one in overview.examples
        ],
        "most": scale,
        "sanity": overview.sanity,
        "without": overview.without,
    }


def write_explanations(
    path: Path,
    faces: Sequence[FaceMaps],
    read: ReadFaces,
    about: BundleMetadata,
    *,
    sanity: Sanity | None = None,
    without: str = "",
) -> None:
    """Write the page: one file, which opens anywhere and holds the faces.

    Args:
        path: of the page.
        faces: what is shown.
        read: how many faces and photos there were.
        about: what read them.
        sanity: whether the Grad-CAM maps follow the weights; None where there are none.
        without: why there are none, and how to get them.
    """
    page = (
        environment()
        .get_template("explanation.html")
        .render(
            faces=faces,
            read=read,
            about=about,
            sanity=sanity,
            without=without,
            legend=to_png(_legend()),
            emotions=list(zip(EMOTIONS, COLOURS, strict=True)),
            nearest=any(face.nearest for face in faces),
            to_png=to_png,
        )
    )
    write_text(path, page)


def _enlarge(image: Image) -> Image:
    large = cv2.resize(image, (_SHOWN_PX, _SHOWN_PX), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)


def _blend(image: Image, heat: Maps) -> Image:
    """Lay colours over a gray picture. Shape: uint8 (h, w), float (h, w) -> uint8 (h, w, 3)."""
    colours = cv2.applyColorMap(np.rint(heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = _OPACITY * np.sqrt(heat)[..., None]  # the root: weak places are seen, too
    return np.asarray(np.rint((1 - share) * image[..., None] + share * colours), np.uint8)


def _legend() -> Image:
    """Return the colours from 0 to 1 as they look on a gray face."""
    heat = np.tile(np.linspace(0, 1, 256), (16, 1))
    return _blend(np.full(heat.shape, _GRAY, np.uint8), heat)
