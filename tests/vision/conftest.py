"""What several tests of reading share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.vision.made import encoded, picture

FACE_PX = 40  # side of the boxes that it gives, around a white cell of 8×8
TILT_DEGREES = 20.0  # of the eyes that it gives


@pytest.fixture(scope="session")
def planted_yunet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for YuNet's file, which is not in the repository: white cells are its faces.

    It has YuNet's inputs and outputs, so that OpenCV runs it as it runs the real one.
    """
    nodes, outputs, constants = [], [], []

    def constant(name: str, values: object, dtype: type = np.float32) -> str:
        constants.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    for stride in (8, 16, 32):
        cells, size = (320 // stride) ** 2, [stride, stride]
        gray, pooled, flat = f"gray{stride}", f"pooled{stride}", f"flat{stride}"
        nodes += [
            helper.make_node("AveragePool", ["input"], [pooled], kernel_shape=size, strides=size),
            helper.make_node("ReduceMean", [pooled], [gray], axes=[1], keepdims=1),
            helper.make_node(
                "Reshape", [gray, constant(f"rows{stride}", [1, -1, 1], np.int64)], [flat]
            ),
        ]
        # Only the finest grid finds anything, and only in cells that are all but white.
        gain, bias = (1 / 25, -9.2) if stride == 8 else (0.0, 0.0)
        eyes = np.array([-1.0, 0.0, 1.0, 0.0]).reshape(2, 2)
        angle = np.radians(TILT_DEGREES)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        points = np.concatenate([(eyes @ turn).ravel(), np.zeros(6)])
        side = np.log(FACE_PX / stride)
        for name, width, slope, offset in (
            ("cls", 1, gain, bias),
            ("obj", 1, gain, bias),
            ("bbox", 4, 0.0, [0.5, 0.5, side, side]),
            ("kps", 10, 0.0, points),
        ):
            slopes = constant(f"{name}_slope{stride}", np.full((1, 1, width), slope))
            offsets = constant(f"{name}_offset{stride}", np.broadcast_to(offset, (1, 1, width)))
            scaled, output = f"{name}_scaled{stride}", f"{name}_{stride}"
            nodes += [
                helper.make_node("Mul", [flat, slopes], [scaled]),
                helper.make_node("Add", [scaled, offsets], [output]),
            ]
            outputs.append(
                helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, cells, width])
            )
    images = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 320, 320])
    graph = helper.make_graph(nodes, "planted", [images], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    path = tmp_path_factory.mktemp("yunet") / "planted.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(picture(), ".png"))
    return path
