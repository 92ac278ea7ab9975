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
from mien.bundle.session import INPUT_NAME
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
# float32 has 24 binary digits: 10 of a normalized pixel below 8, 10 of a weight, and 4 for a sum.
_PIXEL_STEP: Final = 2.0**-7
_KERNEL_BITS: Final = 10
_LEAST_KERNEL: Final = 2.0**-20


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
        model = onnx.load(folded)
        _make_exact(model)
        onnx.save(model, folded)
        quantize_static(
            str(folded),
            str(written),
            _Faces(images[np.sort(drawn)]),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTIZED,
            nodes_to_exclude=_in_float(model),
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
        Bundle(temporary).predict(images[:1])  # raises before the file is renamed if it cannot run
    return Bundle(path)


def _make_exact(model: onnx.ModelProto) -> None:
    """Make what stays in float before the first 8-bit value the same wherever it is computed.

    Processors, browsers and the number of faces in a call decide in which order ONNX Runtime adds
    up, and whether it rounds in between. Where the last digit differs, rounding to 8 bits may turn
    it into up to 0.014 of a probability. So the means of whole images are computed in float64, and
    the first convolution gets few binary digits: no sum of its products is ever rounded.

    Args:
        model: float model with batch normalization folded, which is changed.
    """
    graph = model.graph
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in inferred
    }
    stem = next((node for node in graph.node if node.op_type == "Conv"), None)
    nodes = []
    for node in graph.node:
        if stem is not None and node is stem:
            pixels, node.input[0] = node.input[0], f"{node.input[0]}_in_steps"
            nodes += _in_steps(graph, pixels, node.input[0])
            _round_kernels(graph, node)
        values = math.prod(shapes.get(node.output[0], [])[1:])  # for each image
        if node.op_type == "ReduceMean" and 0 < values <= _CHANNELS:
            nodes += _in_float64(node)
        else:
            nodes.append(node)
    rewritten = [copy.deepcopy(node) for node in nodes]
    del graph.node[:]
    graph.node.extend(rewritten)


def _in_float64(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the nodes that compute the same from float32 to float32, in float64."""
    source, target = node.input[0], node.output[0]
    node.input[0], node.output[0] = f"{target}_of_float64", f"{target}_as_float64"
    return [
        onnx.helper.make_node("Cast", [source], [node.input[0]], to=onnx.TensorProto.DOUBLE),
        node,
        onnx.helper.make_node("Cast", [node.output[0]], [target], to=onnx.TensorProto.FLOAT),
    ]


def _in_steps(graph: onnx.GraphProto, source: str, target: str) -> list[onnx.NodeProto]:
    """Return the nodes that round values to multiples of ``_PIXEL_STEP``."""
    factors = {f"{target}_count": 1 / _PIXEL_STEP, f"{target}_size": _PIXEL_STEP}
    for name, factor in factors.items():
        array = np.array(factor, np.float32)
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    counted, rounded = f"{target}_counted", f"{target}_rounded"
    count, size = factors
    return [
        onnx.helper.make_node("Mul", [source, count], [counted]),
        onnx.helper.make_node("Round", [counted], [rounded]),
        onnx.helper.make_node("Mul", [rounded, size], [target]),
    ]


def _round_kernels(graph: onnx.GraphProto, conv: onnx.NodeProto) -> None:
    """Round the weights and biases of a convolution to ``_KERNEL_BITS`` binary digits."""
    stored = {part.name: part for part in graph.initializer}
    weight, *bias = (onnx.numpy_helper.to_array(stored[name]) for name in conv.input[1:])
    largest = np.abs(weight).max(axis=(1, 2, 3))
    steps = np.exp2(np.ceil(np.log2(np.maximum(largest, _LEAST_KERNEL))) - _KERNEL_BITS)
    by_channel = steps[:, None, None, None]
    rounded = [np.round(weight / by_channel) * by_channel]
    rounded += [np.round(each / (steps * _PIXEL_STEP)) * (steps * _PIXEL_STEP) for each in bias]
    for name, array in zip(conv.input[1:], rounded, strict=True):
        stored[name].CopyFrom(onnx.numpy_helper.from_array(array.astype(np.float32), name))


def _in_float(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that stay in float: the first convolution, and the head.

    The first convolution loses most by 8 bits, since it has few channels. The head, all from the
    first dense layer on, adds up probabilities, which 8 bits would round to multiples of 1/256.
    """
    nodes = list(model.graph.node)
    stem = [node.name for node in nodes if node.op_type == "Conv"][:1]
    dense = (at for at, node in enumerate(nodes) if node.op_type in ("Gemm", "MatMul"))
    return [*stem, *(node.name for node in nodes[next(dense, len(nodes)) :])]


class _Faces(CalibrationDataReader):  # type: ignore[misc]
    """Supplies faces in batches to ONNX Runtime's calibration."""

    def __init__(self, images: Images) -> None:
        # Whole batches only, because the calibration stacks the outputs of all of them.
        whole = len(images) // _BATCH * _BATCH or len(images)
        self._batches = iter(np.split(images[:whole], max(1, whole // _BATCH)))

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT_NAME: np.ascontiguousarray(batch)}
