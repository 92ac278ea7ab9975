"""A Bundle: one self-describing ONNX file that reads face crops.

Preprocessing and calibration are inside the graph, and everything else is in the metadata, so
Python, a browser and any other ONNX runtime give the same answer without torch.
"""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from mien.bundle.forked import reopen_after_fork
from mien.bundle.metadata import BundleMetadata
from mien.bundle.provider_names import CPU
from mien.bundle.providers import choose_provider, missing_note
from mien.bundle.runtime import ort
from mien.bundle.session import check_first_answer, check_signature, open_session, run
from mien.errors import BundleError, first_line, nearest
from mien.images.crop import CropSpec
from mien.io.files import AnyPath, expand_user
from mien.labels import LabelSet, named_labels
from mien.types import Images, Logits, Probabilities

SUFFIX: Final = ".onnx"
_BATCH: Final = 64  # bounds memory; larger batches are no faster

# Names of the Bundles that come with mien, the best first, which is the default.
_SHIPPED: Final = files("mien") / "weights"
_PREFERENCE: Final = ("mien-s", "mien-xs")


class Bundle:
    """An opened Bundle.

    Args:
        model: name of a Bundle that comes with mien, path of a ``.onnx`` file or of a run
            directory; None for the default Bundle.
        threads: number of threads of a call, of which at most 64 are used; 0 lets ONNX Runtime use
            every core.
        provider: part of ONNX Runtime that computes the network, a name in
            `mien.bundle.provider_names.PROVIDERS`; the CPU is used if it is not installed.

    Threads may share a Bundle, a forked child can go on with it, and it can be pickled.

    Attributes:
        provider_note: reason why the provider is not used; empty if it is.

    Raises:
        BundleError: if the file is missing, not ONNX, not a Bundle, of an unknown format, its graph
            is not the one that its metadata describe, or its answer for two made crops cannot be
            one; or if there is no such provider.
    """

    def __init__(
        self, model: AnyPath | None = None, *, threads: int = 0, provider: str = CPU
    ) -> None:
        self._settings = {"model": model, "threads": threads, "provider": provider}
        self._provider = choose_provider(provider)
        self.path = find_bundle(model)
        self.threads = threads
        self.metadata = self._read_metadata()
        self.provider_note = missing_note(self._provider, self._session.get_providers())
        for check in (check_signature, check_first_answer):
            check(self._session, self.crop.shape, path=self.path, classes=len(self.labels))
        reopen_after_fork(self)

    def __getstate__(self) -> dict[str, Any]:
        return self._settings

    def __setstate__(self, settings: dict[str, Any]) -> None:
        self.__init__(**settings)  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"<Bundle {self.metadata.name}, {len(self.labels)} classes, crops {self.crop}>"

    def give_up_session(self) -> ort.InferenceSession | None:
        """Return the session and open another when one is needed; None if none is open."""
        return self.__dict__.pop("_session", None)

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return self.open_session()

    def open_session(self) -> ort.InferenceSession:
        """Return a new session of ONNX Runtime for this file.

        Raises:
            BundleError: if it is no Bundle, or ONNX Runtime cannot load it.
        """
        return open_session(self.path, threads=self.threads, providers=self._provider.names)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the outputs."""
        return self.metadata.labels

    @cached_property
    def label_set(self) -> LabelSet:
        """The classes, with the spellings and the numbering of files if they are known."""
        return named_labels(self.labels)

    @cached_property
    def crop(self) -> CropSpec:
        """The size and the channels of the face crops that `predict` takes."""
        return self.metadata.crop.spec

    def predict(self, images: Images) -> tuple[Logits, Probabilities]:
        """Return logits and probabilities of face crops.

        Shape: images uint8 (N, size_px, size_px), or (N, size_px, size_px, 3) in red-green-blue
            -> float32 (N, classes), float32 (N, classes).

        Raises:
            BundleError: if the crops have another shape or type, or the answer cannot be one:
                it is not finite, or the probabilities of a crop do not add up to 1.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.crop.shape:
            shape = ", ".join(map(str, self.crop.shape))
            raise BundleError(
                f"face crops: {images.dtype} {images.shape}, expected uint8 (N, {shape}), "
                f"{self.crop} as {self.metadata.name} reads them"
            )
        logits = np.empty((len(images), len(self.labels)), np.float32)
        probabilities = np.empty_like(logits)
        for start in range(0, len(images), _BATCH):
            rows = slice(start, start + _BATCH)
            logits[rows], probabilities[rows] = run(
                self._session, images[rows], path=self.path, classes=len(self.labels)
            )
        return logits, probabilities

    def _read_metadata(self) -> BundleMetadata:
        try:
            properties = self._session.get_modelmeta().custom_metadata_map
        except UnicodeDecodeError:
            raise BundleError(f"{self.path}: not a Bundle: its metadata are not UTF-8") from None
        if "mien_format" not in properties:
            raise BundleError(
                f"{self.path}: an ONNX file, but not a Bundle: it has no mien metadata; "
                "`mien export` makes one from a run"
            )
        try:
            metadata = BundleMetadata.from_properties(properties)
        except ValueError as error:
            why = f" ({first_line(error)})"
            if isinstance(error, ValidationError):
                first = error.errors()[0]
                where = first["loc"][0] if first["loc"] else "metadata"
                said = first["msg"].removeprefix("Value error, ").removeprefix(f"{where}: ")
                why = f" ({where}: {said})"
            raise BundleError(
                f"{self.path}: a Bundle of a format that this version of mien does not know{why}; "
                "update mien, or export it again"
            ) from None
        return metadata


def refuse_other_suffix(path: AnyPath) -> None:
    """Raise a BundleError if the name of a Bundle to write does not end in ``.onnx``."""
    if expand_user(path).suffix.lower() != SUFFIX:
        raise BundleError(
            f"{expand_user(path)}: a Bundle is an ONNX file, and no other kind is written; "
            f"expected a name that ends in {SUFFIX}"
        )


def shipped_bundles() -> dict[str, Path]:
    """Return the Bundles that come with mien by name, the default one first."""
    paths = {name: Path(str(_SHIPPED / f"{name}.onnx")) for name in _PREFERENCE}
    return {name: path for name, path in paths.items() if path.is_file()}


def find_bundle(name_or_path: AnyPath | None = None) -> Path:
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
    name = str(path)
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
    if name in shipped:
        return shipped[name]
    if path.suffix.lower() == SUFFIX or path.name != name:
        raise BundleError(f"{path}: no such file or run, expected a Bundle ({SUFFIX})")
    raise BundleError(
        f"{name}: no such run, Bundle file or shipped Bundle{nearest(name, shipped)}; "
        f"shipped: {', '.join(shipped) or 'none'}"
    )
