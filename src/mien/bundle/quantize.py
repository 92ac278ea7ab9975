"""A float Bundle to an int8 one: a quarter of the size, and several times as fast.

Static quantisation as ONNX Runtime does it: activations unsigned, weights signed and per output
channel, ranges read off real faces. The Bundle's metadata, calibration and names stay.
"""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from mien.bundle.bundle import INPUT_NAME, Bundle
from mien.errors import BundleError
from mien.io.files import atomic_file

# The normalisation in front and the softmax behind stay in float: they cost nothing and need it.
_QUANTIZED: Final = ["Conv", "Relu", "MaxPool", "Add", "GlobalAveragePool"]
_BATCH: Final = 64
_FEWEST: Final = 100  # faces; from fewer, ranges say little
_FACES: Final = 1024
_PERCENTILE: Final = 99.999  # of each activation; the few beyond are cut off


def quantize(bundle: Bundle, images: npt.NDArray[np.uint8], path: Path, *, seed: int = 0) -> Bundle:
    """Write a Bundle in int8 and return it.

    Weights take 7 bits: processors without VNNI instructions add pairs of 8-bit products in 16
    bits, which overflow with 8. There a Bundle would silently read worse than here.

    Args:
        bundle: in float32.
        images: training faces, by which activations' ranges are set; 1,024 of them are drawn.
        path: of the file to write, replaced if it exists.
        seed: of that draw.

    Raises:
        BundleError: if the Bundle is int8 already, or there are too few faces.

    Shape: images uint8 (N, 48, 48).
    """
    if bundle.metadata.precision != "float32":
        raise BundleError(f"{bundle.path}: is {bundle.metadata.precision} already, not float32")
    if len(images) < _FEWEST:
        raise BundleError(
            f"{len(images)} faces to set ranges by, expected {_FEWEST} at least of training data"
        )
    drawn = np.random.default_rng(seed).permutation(len(images))[:_FACES]
    with tempfile.TemporaryDirectory() as folder, _quiet():
        folded, written = Path(folder) / "folded.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(str(bundle.path), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded),
            str(written),
            _Faces(images[np.sort(drawn)]),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTIZED,
            nodes_to_exclude=_stem(folded),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": _PERCENTILE},
        )
        model = onnx.load(written)
    del model.metadata_props[:]
    metadata = bundle.metadata.model_copy(update={"precision": "int8", "scores": ()})
    onnx.helper.set_model_props(model, metadata.as_properties())
    with atomic_file(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        Bundle(temporary).predict(images[:1])  # it runs, or it is not written
    return Bundle(path)


def _stem(path: Path) -> list[str]:
    """Return the name of the first convolution: one channel in, so 8 bits lose most there."""
    nodes = onnx.load(path).graph.node
    return [node.name for node in nodes if node.op_type == "Conv"][:1]


class _Faces(CalibrationDataReader):  # type: ignore[misc]
    """Gives the faces out in batches, as ONNX Runtime's calibration asks for them."""

    def __init__(self, images: npt.NDArray[np.uint8]) -> None:
        # Whole batches only: the calibration stacks what each one gave.
        whole = len(images) // _BATCH * _BATCH or len(images)
        self._batches = iter(np.split(images[:whole], max(1, whole // _BATCH)))

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT_NAME: np.ascontiguousarray(batch)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the calibration's prints and warnings about its own workings from the user."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.root.setLevel(level)
