"""The settings of a batch job, which every process of it receives."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from mien.bundle.provider_names import CPU
from mien.errors import MienError
from mien.io.limits import PIXELS
from mien.vision.defaults import SMOOTHING_S

PART_PICTURES: Final = 1000
_OWN_FILES: Final = ("model", "detector_model")  # which other machines do not have


@dataclass(frozen=True)
class BatchSettings:
    """The detector, the model and the limits of a reading at scale, and the size of the parts.

    Args:
        model: name of a shipped Bundle, path of a ``.onnx`` file or of a run directory; None for
            the best shipped Bundle.
        detector: name of the face detector, as in `mien.vision.Reader`.
        detector_model: path of the detector's own file; None for the one in mien's cache.
        turned: True to find faces on their side or upside down as well.
        min_face_px: shorter side of the smallest face that is read, in pixels.
        min_score: lowest detector score of a face that is read, 0 to 1.
        provider: part of ONNX Runtime that computes the network.
        threads: number of threads for the network in each worker.
        max_pixels: largest number of pixels in one picture; 0 for ``MIEN_MAX_PIXELS``.
        column: column of the pictures in Parquet files.
        every: 1 for every frame of videos, n for the first and every n-th one after it.
        smoothing_s: time constant of the average over readings in videos, in seconds.
        all_frames: True to give frames of videos without a face a row as well.
        part_pictures: number of pictures in a part, which is the work that a crash can cost.

    Raises:
        MienError: if a number is out of range.
    """

    model: str | Path | None = None
    detector: str = "auto"
    detector_model: str | Path | None = None
    turned: bool = False
    min_face_px: int = 0
    min_score: float = 0.0
    provider: str = CPU
    threads: int = 1
    max_pixels: int = 0
    column: str = "image"
    every: int = 1
    smoothing_s: float = SMOOTHING_S
    all_frames: bool = False
    part_pictures: int = PART_PICTURES

    def __post_init__(self) -> None:
        if self.part_pictures < 1:
            raise MienError(f"part_pictures = {self.part_pictures}: expected 1 or more")

    @property
    def most_pixels(self) -> int:
        """The largest number of pixels in one picture."""
        return self.max_pixels or PIXELS.value

    def record(self) -> dict[str, Any]:
        """Return the settings that change what is read, as plain data.

        Paths of files are left out: the job keeps the checksums of what they contain.
        """
        ignored = (*_OWN_FILES, "provider", "threads")
        found = {name: value for name, value in asdict(self).items() if name not in ignored}
        return {**found, "max_pixels": self.most_pixels}
