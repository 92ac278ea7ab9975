"""What a run has seen: digests of the images it trained on and chose by, kept in its directory.

They say whether a run knows an image, wherever the image comes from; no image can be had from them.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from mien.data import FaceDataset
from mien.data.near_twins import Images
from mien.data.twins import Mask
from mien.errors import RunError
from mien.files import atomic_file

Digests = npt.NDArray[np.uint64]

FILE_NAME: Final = "seen.npz"
_DIGEST_BYTES: Final = 8  # among a million images, two share one by chance once in 37 million sets


class SeenError(RunError):
    """A split called test is, for the most part, what a run has trained on or chosen by."""


class Known(NamedTuple):
    """Which images a run knows, pixel for pixel. Shape: (N,) each; an image can be in both."""

    trained_on: Mask
    chosen_by: Mask


@dataclass(frozen=True, eq=False)
class Seen:
    """Digests of what a run has seen.

    Args:
        trained_on: of the images that it trains on.
        chosen_by: of those that have a say in which weights are kept.
    """

    trained_on: Digests
    chosen_by: Digests

    @classmethod
    def of(cls, dataset: FaceDataset, *, chosen_by: str) -> Self:
        """Return what a training on a data set sees.

        Args:
            dataset: its train split is trained on.
            chosen_by: the split that has a say in which weights are kept; empty where none has.
        """
        choosing = _digests(dataset.split(chosen_by).images) if chosen_by else _NONE
        return cls(np.unique(_digests(dataset.train.images)), np.unique(choosing))

    def known_among(self, images: Images) -> Known:
        """Return which images are among what was seen. Shape: uint8 (N, 48, 48) -> (N,) each."""
        digests = _digests(images)
        return Known(np.isin(digests, self.trained_on), np.isin(digests, self.chosen_by))

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
                f"{path}: damaged, so what the run has seen is not known; "
                "copy the run back from a backup, or train again"
            ) from None


_NONE: Final = np.empty(0, np.uint64)


def _digests(images: Images) -> Digests:
    digests = (hashlib.sha256(image.tobytes()).digest()[:_DIGEST_BYTES] for image in images)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
