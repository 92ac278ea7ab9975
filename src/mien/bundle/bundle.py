"""A Bundle: one self-describing ONNX file that reads face crops.

Preprocessing and calibration are inside the graph, and everything else is in the metadata, so
Python, a browser and any other ONNX runtime give the same answer without torch.
"""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
from pydantic import ValidationError

from mien.bundle.metadata import BundleMetadata
from mien.errors import BundleError, first_line, nearest
from mien.images.crop import SIZE_PX
from mien.io.files import expand_user
from mien.labels import EMOTIONS
from mien.types import Images, Logits, Probabilities

INPUT_NAME: Final = "images"
OUTPUT_NAMES: Final = ("logits", "probabilities")
_BATCH: Final = 64  # bounds memory; larger batches are no faster

# Names of the Bundles that come with mien, the best first, which is the default.
_SHIPPED: Final = files("mien") / "weights"
_PREFERENCE: Final = ("mien-s", "mien-xs")


class Bundle:
    """An opened Bundle.

    Args:
        path: path of the ``.onnx`` file.
        threads: number of threads of a call; 0 lets ONNX Runtime use every core.

    Raises:
        BundleError: if the file is missing, not ONNX, not a Bundle, or of an unknown format.
    """

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise BundleError(f"{path}: no such file, expected a Bundle (.onnx)")
        self.threads = threads
        self.metadata = self._read_metadata()

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return self.open_session()

    def open_session(self) -> ort.InferenceSession:
        """Return a new session of ONNX Runtime for this file.

        Raises:
            BundleError: if ONNX Runtime cannot load it.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3  # errors only
        try:
            return ort.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors share no narrower base
            raise BundleError(
                f"{self.path}: not an ONNX file that onnxruntime {ort.__version__} can run "
                f"({first_line(error)})"
            ) from None

    def predict(self, images: Images) -> tuple[Logits, Probabilities]:
        """Return logits and probabilities of face crops.

        Shape: images uint8 (N, 48, 48) -> float32 (N, 7), float32 (N, 7).

        Raises:
            BundleError: if the crops have another shape or type.
        """
        if images.dtype != np.uint8 or images.shape[1:] != (SIZE_PX, SIZE_PX):
            raise BundleError(
                f"face crops: {images.dtype} {images.shape}, "
                f"expected uint8 (N, {SIZE_PX}, {SIZE_PX})"
            )
        logits = np.empty((len(images), len(self.metadata.labels)), np.float32)
        probabilities = np.empty_like(logits)
        for start in range(0, len(images), _BATCH):
            rows = slice(start, start + _BATCH)
            feed = {INPUT_NAME: np.ascontiguousarray(images[rows])}
            logits[rows], probabilities[rows] = self._session.run(OUTPUT_NAMES, feed)
        return logits, probabilities

    def _read_metadata(self) -> BundleMetadata:
        properties = self._session.get_modelmeta().custom_metadata_map
        if "mien_format" not in properties:
            raise BundleError(
                f"{self.path}: an ONNX file, but not a Bundle: it has no mien metadata; "
                "`mien export` makes one from a run"
            )
        try:
            metadata = BundleMetadata.from_properties(properties)
        except ValueError as error:
            why = ""
            if isinstance(error, ValidationError):
                first = error.errors()[0]
                where = first["loc"][0] if first["loc"] else "metadata"
                why = f" ({where}: {first['msg'].removeprefix('Value error, ')})"
            raise BundleError(
                f"{self.path}: a Bundle of a format that this version of mien does not know{why}; "
                "update mien, or export it again"
            ) from None
        if metadata.labels != EMOTIONS:
            raise BundleError(f"{self.path}: its labels are {', '.join(metadata.labels)}")
        return metadata


def shipped_bundles() -> dict[str, Path]:
    """Return the Bundles that come with mien by name, the default one first."""
    paths = {name: Path(str(_SHIPPED / f"{name}.onnx")) for name in _PREFERENCE}
    return {name: path for name, path in paths.items() if path.is_file()}


def find_bundle(name_or_path: str | Path | None = None) -> Path:
    """Return the path of a Bundle.

    Args:
        name_or_path: name of a Bundle that comes with mien, path of a ``.onnx`` file, or path of a
            run directory; None for the default Bundle.

    Raises:
        BundleError: if there is no Bundle of that name or at that path.
    """
    shipped = shipped_bundles()
    if name_or_path is None:
        if not shipped:
            raise BundleError(
                "no Bundle comes with this installation of mien; name one with --model"
            )
        return next(iter(shipped.values()))
    path = expand_user(name_or_path)
    if path.is_file():
        return path
    if path.is_dir():
        inside = path / "model.onnx"
        if inside.is_file():
            return inside
        raise BundleError(
            f"{path}: holds no Bundle (model.onnx); a run has one once its training has ended: "
            f"mien train --resume {path}, or mien export {path} for its best weights so far"
        )
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    raise BundleError(
        f"{name_or_path}: no such run, Bundle file or shipped Bundle"
        f"{nearest(str(name_or_path), shipped)}; shipped: {', '.join(shipped) or 'none'}"
    )
