"""Quantization of a float Bundle to int8: a quarter of the size, and several times as fast.

Static quantization by ONNX Runtime: unsigned activations, signed weights per output channel, and
activation ranges from real faces. Metadata, calibration and names stay the same.
"""

from __future__ import annotations

import copy
import io
import math
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

import mien.bundle.runtime  # noqa: F401 - before anything else of ONNX Runtime

# isort: split
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from mien.bundle.bundle import Bundle
from mien.bundle.session import INPUT_NAME, MAX_THREADS
from mien.errors import BundleError
from mien.images.crop import DEFAULT_CROP
from mien.io.files import atomic_file
from mien.io.quiet import quiet_logger
from mien.types import Images

# Normalization and softmax stay in float: they cost little and lose most by rounding.
_QUANTIZED: Final = ["Conv", "Relu", "MaxPool", "Add", "GlobalAveragePool"]
_BATCH: Final = 64
_FEWEST: Final = 100  # faces; fewer give unreliable ranges
_FACES: Final = 1024
# Of all drawn faces: the calibration keeps every activation in memory, about 4 GB for mien-s.
_PIXELS: Final = _FACES * DEFAULT_CROP.size_px**2
_PERCENTILE: Final = 99.999  # of each activation; values beyond are clipped
_CHANNELS: Final = 3  # means of whole images have one value a channel at most
_SPARE_ROWS: Final = MAX_THREADS - 1  # with one image, as many rows as threads


def quantize(bundle: Bundle, images: Images, path: Path, *, seed: int = 0) -> Bundle:
    """Write a Bundle in int8 and return it.

    Weights have 7 bits: processors without VNNI instructions add pairs of products in 16 bits,
    which would overflow with 8-bit weights and silently reduce accuracy.

    Args:
        bundle: Bundle in float32.
        images: training faces, of which some are drawn to set the ranges of activations: 1,024 of
            FER-2013's size, as many pixels of a larger one, but no less than 64.
        path: path of the file to write, which is replaced if it exists.
        seed: seed of the draw.

    Raises:
        BundleError: if the Bundle is int8 already, there are too few faces, or they are not the
            crops that it reads.

    Shape: images uint8 (N, size_px, size_px), or (N, size_px, size_px, 3) in colour.
    """
    if bundle.metadata.precision != "float32":
        raise BundleError(
            f"{bundle.path}: is {bundle.metadata.precision} already, expected a float32 Bundle"
        )
    if len(images) < _FEWEST:
        raise BundleError(
            f"{len(images)} faces to set activation ranges, expected at least {_FEWEST}"
        )
    bundle.predict(images[:1])  # raises if it reads other crops
    count = min(_FACES, max(_BATCH, _PIXELS // bundle.crop.size_px**2))
    drawn = np.random.default_rng(seed).permutation(len(images))[:count]
    with (
        tempfile.TemporaryDirectory() as folder,
        quiet_logger(""),
        redirect_stdout(io.StringIO()),  # which the calibration prints to
    ):
        folded, written = Path(folder) / "folded.onnx", Path(folder) / "int8.onnx"
        whole = Path(folder) / "whole.onnx"  # ONNX Runtime opens no name that is not UTF-8
        whole.write_bytes(bundle.path.read_bytes())
        quant_pre_process(str(whole), str(folded), skip_symbolic_shape=True)
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
    make_independent(model)
    del model.metadata_props[:]
    metadata = bundle.metadata.model_copy(update={"precision": "int8", "scores": ()})
    onnx.helper.set_model_props(model, metadata.as_properties())
    with atomic_file(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        Bundle(temporary).predict(images[:1])  # raises before the file is renamed if it cannot run
    return Bundle(path)


def make_independent(model: onnx.ModelProto) -> None:
    """Make the answer for a face independent of the number of faces in a call.

    ONNX Runtime adds up a mean of whole images in another order if a call has fewer images than
    threads, or one image. The last digit differs then, and rounding to 8 bits turns it into up to
    0.014 of a probability. Rows of zeros, which are dropped after the mean, keep to one order.

    Args:
        model: quantized model, which is changed.
    """
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    nodes = []
    for node in model.graph.node:
        shape = shapes.get(node.output[0], [])
        if node.op_type != "ReduceMean" or not 0 < math.prod(shape[1:]) <= _CHANNELS:
            nodes.append(node)
            continue
        images, mean = node.input[0], node.output[0]
        rank = len(shapes[images])
        values = {
            "pads": [0] * rank + [_SPARE_ROWS] + [0] * (rank - 1),
            "start": [0],
            "end": [-_SPARE_ROWS],
            "axis": [0],
        }
        names = {key: f"{mean}_{key}" for key in values}
        for key, value in values.items():
            array = np.array(value, np.int64)
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, names[key]))
        node.input[0], node.output[0] = f"{images}_and_spare_rows", f"{mean}_and_spare_rows"
        pad = onnx.helper.make_node("Pad", [images, names["pads"]], [node.input[0]])
        ends = [node.output[0], names["start"], names["end"], names["axis"]]
        nodes += [pad, node, onnx.helper.make_node("Slice", ends, [mean])]
    rewritten = [copy.deepcopy(node) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(rewritten)


def _stem(path: Path) -> list[str]:
    """Return the name of the first convolution, which loses most by 8 bits: it has few channels."""
    nodes = onnx.load(path).graph.node
    return [node.name for node in nodes if node.op_type == "Conv"][:1]


class _Faces(CalibrationDataReader):  # type: ignore[misc]
    """Supplies faces in batches to ONNX Runtime's calibration."""

    def __init__(self, images: Images) -> None:
        # Whole batches only, because the calibration stacks the outputs of all of them.
        whole = len(images) // _BATCH * _BATCH or len(images)
        self._batches = iter(np.split(images[:whole], max(1, whole // _BATCH)))

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT_NAME: np.ascontiguousarray(batch)}
