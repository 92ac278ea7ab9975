"""Bundles of any labels and crops, made without a training: they read mean colours."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mien.bundle.metadata import BundleMetadata, CropRecord
from mien.images.crop import CropSpec

RED_GREEN_BLUE = ("red", "green", "blue")


def mean_colours(classes: int, channels: int) -> np.ndarray:
    """Return the mean colour of each class: even steps of gray, or even steps around the hues.

    Shape: -> (classes, channels), 0 to 1; red, green and blue for three classes in colour.
    """
    if channels == 1:
        return np.linspace(0, 1, classes)[:, None]
    return np.array([colorsys.hsv_to_rgb(label / classes, 1, 1) for label in range(classes)])


def write_bundle(
    path: Path,
    names: tuple[str, ...] = RED_GREEN_BLUE,
    crop: CropSpec | None = None,
    *,
    graph_labels: int | None = None,
    graph_crop: CropSpec | None = None,
    **fields: object,
) -> Path:
    """Write a Bundle that reads a crop as the class with the nearest mean colour.

    Two convolutions that change nothing come first, so that it can be quantized.

    Args:
        path: path of the file.
        names: names of the classes.
        crop: crops that it says it reads; 64 px in colour by default.
        graph_labels: number of classes of the graph, if the metadata are to be wrong.
        graph_crop: crops of the graph, if the metadata are to be wrong.
        fields: other fields of the metadata.
    """
    crop = crop or CropSpec(64, 3)
    inside = graph_crop or crop
    centres = 255 * mean_colours(graph_labels or len(names), inside.channels)
    arrays = {
        "kernel": np.eye(inside.channels)[:, :, None, None],
        "weight": centres.T / 1000,
        "bias": -0.5 * (centres**2).sum(1) / 1000,
    }
    constants = [numpy_helper.from_array(a.astype(np.float32), name) for name, a in arrays.items()]
    channels_first = helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2])
    if inside.channels == 1:
        constants.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
        channels_first = helper.make_node("Unsqueeze", ["float", "axis"], ["planes"])
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        channels_first,
        helper.make_node("Conv", ["planes", "kernel"], ["first"], name="first"),
        helper.make_node("Conv", ["first", "kernel"], ["second"], name="second"),
        helper.make_node("GlobalAveragePool", ["second"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["mean"]),
        helper.make_node("MatMul", ["mean", "weight"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", *inside.shape])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", len(centres)])
        for name in ("logits", "probabilities")
    ]
    graph = helper.make_graph(nodes, "mean colour", [images], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    metadata = BundleMetadata(
        name="mean-colour", labels=names, crop=CropRecord.of(crop), parameters=0,
        mien_version="0", **fields,
    )  # fmt: skip
    onnx.helper.set_model_props(model, metadata.as_properties())
    onnx.save(model, path)
    return path


def change_property(path: Path, name: str, value: str) -> Path:
    """Give a Bundle another value of a property, as JSON, without any check."""
    model = onnx.load(path)
    properties = {one.key: one.value for one in model.metadata_props} | {name: value}
    onnx.helper.set_model_props(model, properties)
    onnx.save(model, path)
    return path
