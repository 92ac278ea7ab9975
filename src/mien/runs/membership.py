"""Membership: digests of the images that a run has trained on and was chosen by, kept in it.

They say whether a run knows an image, wherever that comes from; no image can be had from them.
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
from mien.data.duplicates.search import Images
from mien.errors import RunError
from mien.evaluation.evaluate import KnownImages
from mien.io.files import atomic_file

Digests = npt.NDArray[np.uint64]

FILE_NAME: Final = "membership.npz"
_DIGEST_BYTES: Final = 8  # among a million images, two share one by chance once in 37 million sets


class MembershipError(RunError):
    """A split called test of which the run knows most images."""


@dataclass(frozen=True, eq=False)
class Membership:
    """Digests of the images that a run knows.

    Args:
        trained_on: digests of the images that it trains on.
        chosen_by: digests of the images that have a say in which weights are kept.
    """

    trained_on: Digests
    chosen_by: Digests

    @classmethod
    def of(cls, dataset: FaceDataset, *, chosen_by: str) -> Self:
        """Return the membership of a training on a data set.

        Args:
            dataset: data set whose train split is trained on.
            chosen_by: name of the split that has a say in which weights are kept; empty where none
                has.
        """
        choosing = _digests(dataset.split(chosen_by).images) if chosen_by else _NONE
        return cls(np.unique(_digests(dataset.train.images)), np.unique(choosing))

    def known_among(self, images: Images) -> KnownImages:
        """Return which of some images the run knows. Shape: uint8 (N, 48, 48) -> (N,) each."""
        digests = _digests(images)
        return KnownImages(np.isin(digests, self.trained_on), np.isin(digests, self.chosen_by))

    def save(self, folder: Path) -> None:
        """Write it to a run directory, whole or not at all."""
        with atomic_file(folder / FILE_NAME) as temporary, temporary.open("wb") as handle:
            np.savez(handle, trained_on=self.trained_on, chosen_by=self.chosen_by)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read it from a run directory; None where an older version of mien left none.

        Raises:
            RunError: if it is damaged.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            return None
        try:
            # Not by its path: NumPy leaves a damaged file open.
            with np.load(io.BytesIO(path.read_bytes())) as kept:
                return cls(kept["trained_on"], kept["chosen_by"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise RunError(
                f"{path}: damaged, so which images the run knows is lost; "
                "copy the run back from a backup, or train again"
            ) from None


_NONE: Final = np.empty(0, np.uint64)


def _digests(images: Images) -> Digests:
    digests = (hashlib.sha256(image.tobytes()).digest()[:_DIGEST_BYTES] for image in images)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
