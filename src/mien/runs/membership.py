"""Membership: digests of the images that a run was trained on or selected by.

They are stored with the run, and tell whether the run knows an image, from whatever file the image
comes. Images cannot be restored from them.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from mien.data import FaceDataset
from mien.errors import RunError
from mien.evaluation.evaluate import KnownImages
from mien.images.crop import RELEASE_EVERY
from mien.io.files import atomic_file
from mien.io.mapped import release_pages
from mien.types import Images

Digests = npt.NDArray[np.uint64]

FILE_NAME: Final = "membership.npz"
_DIGEST_BYTES: Final = 8  # a million images share one by chance with probability 1 in 37 million


class MembershipError(RunError):
    """The run knows most images of a split that is called test."""


@dataclass(frozen=True, eq=False)
class Membership:
    """Digests of the images that a run knows.

    Args:
        trained_on: digests of the images that the run is trained on.
        chosen_by: digests of the images that checkpoints are selected by.
    """

    trained_on: Digests
    chosen_by: Digests

    @classmethod
    def of(cls, dataset: FaceDataset, *, chosen_by: str) -> Self:
        """Return the membership of a run on a data set.

        Args:
            dataset: data set whose train split the run is trained on.
            chosen_by: name of the split that checkpoints are selected by; empty for none.
        """
        choosing = _digests(dataset.split(chosen_by).images) if chosen_by else _NONE
        return cls(np.unique(_digests(dataset.train.images)), np.unique(choosing))

    def known_among(self, images: Images) -> KnownImages:
        """Return masks of the images that the run knows. Shape: uint8 (N, …) -> (N,) each."""
        digests = _digests(images)
        return KnownImages(np.isin(digests, self.trained_on), np.isin(digests, self.chosen_by))

    def save(self, folder: Path) -> None:
        """Write the membership to a run directory, completely or not at all."""
        with atomic_file(folder / FILE_NAME) as temporary, temporary.open("wb") as handle:
            np.savez(handle, trained_on=self.trained_on, chosen_by=self.chosen_by)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Return the membership in a run directory; None if an older version wrote none.

        Raises:
            RunError: if the file is damaged.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            return None
        try:
            # From bytes: given a path, NumPy leaves a damaged file open.
            content = io.BytesIO(path.read_bytes())
            with zipfile.ZipFile(content) as archive:  # a compressed one may take all memory
                if any(one.compress_type != zipfile.ZIP_STORED for one in archive.infolist()):
                    raise ValueError("compressed")
            with np.load(content) as kept:
                arrays = kept["trained_on"], kept["chosen_by"]
            if any(one.dtype != np.uint64 or one.ndim != 1 for one in arrays):
                raise ValueError("no digests")
            return cls(*arrays)
        except Exception:  # errors of a damaged archive share no base
            raise RunError(
                f"{path}: damaged, so the images that the run was trained on are unknown; copy the "
                "run back from a backup, or train again"
            ) from None


_NONE: Final = np.empty(0, np.uint64)


def _digests(images: Images) -> Digests:
    digests = bytearray()
    for row, image in enumerate(images):
        digests += hashlib.sha256(image.tobytes()).digest()[:_DIGEST_BYTES]
        if row % RELEASE_EVERY == 0:
            release_pages(images)
    return np.frombuffer(digests, "<u8").astype(np.uint64)
