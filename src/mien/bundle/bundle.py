"""A Bundle: one ONNX file that takes face crops as they are and says what it is.

Preprocessing and calibration are inside the graph and the rest is in its metadata, so Python, a
browser or any other ONNX runtime gives the same answer, and none of it needs torch.
"""

from __future__ import annotations

import json
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from pydantic import BaseModel, ConfigDict, ValidationError

from mien.errors import BundleError, nearest
from mien.images.crop import SIZE_PX
from mien.io.files import expand_user
from mien.io.names import Name
from mien.labels import EMOTIONS

INPUT_NAME: Final = "images"
OUTPUT_NAMES: Final = ("logits", "probabilities")
_BATCH: Final = 64  # bounds the memory that many images take; larger ones are no faster

# The names of shipped Bundles, best first: what is used where none is named.
_SHIPPED: Final = files("mien") / "weights"
_PREFERENCE: Final = ("mien-s", "mien-xs")

Logits = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float32]


class BundleMetadata(BaseModel):
    """What a Bundle says of itself.

    Args:
        mien_format: raised when the meaning of the rest changes.
        name: of the recipe, and so of the Bundle.
        labels: the emotion of each column of the outputs.
        crop_margin: what to add on each side of a detected face's square, as a share of its side.
        uncertain_below: the highest probability under which a reading is called uncertain; 0 where
            no threshold was set.
        calibration: the matrix and bias that the last layer was multiplied by, how these and the
            threshold were set, and what they were worth; empty where nothing was calibrated.
        face_gate: weight and bias of the gate that logits of non-faces do not pass, how it was
            fitted, and at which share of other faces and non-faces it is open; empty without one.
        precision: in which its convolutions compute.
        parameters: number of weights.
        macs: multiply-accumulates that reading one face costs; None in older Bundles.
        recipe: as it was run.
        data: which images it was trained on.
        epoch: after which its weights were taken.
        checkpoint: how its weights were chosen, in words.
        scores: each with the protocol by which it was measured.
        licence: of the weights.
        note: what the reader of a figure or a reading ought to know.
        mien_version: that exported it.
    """

    model_config = ConfigDict(frozen=True)

    mien_format: Literal[1] = 1
    name: Name
    labels: tuple[str, ...] = EMOTIONS
    crop_margin: float = 0.0
    uncertain_below: float = 0.0
    calibration: dict[str, Any] = {}
    face_gate: dict[str, Any] = {}
    precision: Literal["float32", "int8"] = "float32"
    parameters: int
    macs: int | None = None
    recipe: dict[str, Any] = {}
    data: dict[str, Any] = {}
    epoch: int | None = None
    checkpoint: str = ""
    scores: tuple[dict[str, Any], ...] = ()
    licence: str = "MIT"
    note: str = (
        "Reads facial expressions, which are not feelings. In the European Union inferring "
        "emotions of people at work or in education is prohibited (Regulation 2024/1689, "
        "Article 5(1)(f))."
    )
    mien_version: str

    def as_properties(self) -> dict[str, str]:
        """Return ONNX metadata properties: one a field, its value as JSON."""
        return {name: json.dumps(value) for name, value in self.model_dump(mode="json").items()}


class Bundle:
    """A Bundle, opened.

    Args:
        path: the ``.onnx`` file.
        threads: that one call uses; 0 leaves it to ONNX Runtime, which takes every core.

    Raises:
        BundleError: if the file is missing, no ONNX, no Bundle, or of a format not known here.
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
        """Return a session of ONNX Runtime on the file, for those who call it themselves.

        Raises:
            BundleError: if it cannot be run.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3  # errors only
        try:
            return ort.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors share no narrower base
            raise BundleError(
                f"{self.path}: not an ONNX file that onnxruntime {ort.__version__} can run "
                f"({str(error).splitlines()[0][:100]})"
            ) from None

    def predict(self, images: npt.NDArray[np.uint8]) -> tuple[Logits, Probabilities]:
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
            fields = {name: json.loads(value) for name, value in properties.items()}
            metadata = BundleMetadata.model_validate(fields)
        except ValueError as error:
            why = ""
            if isinstance(error, ValidationError):
                first = error.errors()[0]
                why = f" ({first['loc'][0]}: {first['msg'].removeprefix('Value error, ')})"
            raise BundleError(
                f"{self.path}: a Bundle of a format that this version of mien does not know{why}; "
                "update mien, or export it again"
            ) from None
        if metadata.labels != EMOTIONS:
            raise BundleError(f"{self.path}: its labels are {', '.join(metadata.labels)}")
        return metadata


def shipped_bundles() -> dict[str, Path]:
    """Return the Bundles that come with mien by name, the one used by default first."""
    paths = {name: Path(str(_SHIPPED / f"{name}.onnx")) for name in _PREFERENCE}
    return {name: path for name, path in paths.items() if path.is_file()}


def find_bundle(name_or_path: str | Path | None = None) -> Path:
    """Return the path of a Bundle.

    Args:
        name_or_path: a shipped Bundle's name, a ``.onnx`` file or a run directory that holds one;
            None for the best that is shipped.

    Raises:
        BundleError: if there is none of that name or at that path.
    """
    shipped = shipped_bundles()
    if name_or_path is None:
        if not shipped:
            raise BundleError("no Bundle comes with this installation; name one by --model")
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
            f"mien train --resume {path}, or mien export {path} for what it has so far"
        )
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    raise BundleError(
        f"{name_or_path}: no such run, Bundle file or shipped Bundle"
        f"{nearest(str(name_or_path), shipped)}; shipped: {', '.join(shipped) or 'none'}"
    )
