"""int8 Bundles: what they keep, and that no processor's 16-bit sums overflow."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from tests.bundles import write_bundle

from mien.bundle.bundle import Bundle
from mien.bundle.quantize import quantize
from mien.errors import BundleError
from mien.images.crop import CropSpec


@pytest.fixture(scope="module")
def int8(run, faces, tmp_path_factory):
    path = tmp_path_factory.mktemp("int8") / "model.onnx"
    return quantize(Bundle(run.bundle_path), faces.train.images, path)


def test_it_reads_nearly_alike_and_says_what_it_is(run, int8, faces):
    ours, theirs = (bundle.predict(faces.images) for bundle in (int8, Bundle(run.bundle_path)))
    spread = theirs[0].std()
    assert np.sqrt(np.mean((ours[0] - theirs[0]) ** 2)) < 0.15 * spread
    assert (ours[0].argmax(1) == theirs[0].argmax(1)).mean() > 0.9
    np.testing.assert_allclose(ours[1].sum(1), 1, atol=1e-5)
    about, before = int8.metadata, Bundle(run.bundle_path).metadata
    assert about.precision == "int8"
    assert about.scores == ()  # those of the float Bundle are not its own
    assert about.recipe == before.recipe
    assert about.calibration == before.calibration


def test_weights_are_int8_and_keep_to_seven_bits(int8):
    graph = onnx.load(int8.path).graph
    quantized = {node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    weights = [
        numpy_helper.to_array(part)
        for part in graph.initializer
        if part.name in quantized and len(part.dims) == 4
    ]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(weights) == len(convolutions) - 1 > 0  # the first stays in float32
    for weight in weights:
        assert weight.dtype == np.int8
        assert np.abs(weight.astype(int)).max() <= 64
    scales = [part for part in graph.initializer if part.name.endswith("weight_scale")]
    assert all(numpy_helper.to_array(scale).ndim == 1 for scale in scales)  # one a channel


def test_the_first_convolution_rounds_nowhere(int8, faces, tmp_path):
    """So that it is the same on every processor, whichever order it adds up in."""
    graph = onnx.load(int8.path).graph
    conv = next(node for node in graph.node if node.op_type == "Conv")
    stem = tmp_path / "stem.onnx"
    onnx.utils.extract_model(
        int8.path, stem, ["images"], [conv.input[0], conv.output[0]], check_model=False
    )
    session = onnxruntime.InferenceSession(stem)
    pixels, found = session.run(None, {"images": faces.images[:50]})
    stored = {part.name: numpy_helper.to_array(part) for part in graph.initializer}
    kernels, bias = (torch.from_numpy(stored[name].copy()).double() for name in conv.input[1:])
    exact = torch.nn.functional.conv2d(
        torch.from_numpy(pixels.copy()).double(), kernels, bias, padding=kernels.shape[-1] // 2
    )
    np.testing.assert_array_equal(found, exact.numpy())  # float32 against float64
    assert np.abs(pixels * 128 % 1).max() == 0
    assert np.unique(pixels).size > 500


@pytest.mark.parametrize("name", ["mien-s", "mien-xs"])
def test_probabilities_are_not_rounded_to_eight_bits(name):
    bundle = Bundle(name)
    noise = np.random.default_rng(0).integers(0, 256, (64, *bundle.crop.shape), np.uint8)
    probabilities = bundle.predict(noise)[1]
    assert len(np.unique(probabilities)) > 0.95 * probabilities.size


def test_batch_normalization_is_folded(int8):
    assert "BatchNormalization" not in {node.op_type for node in onnx.load(int8.path).graph.node}


def test_the_same_faces_give_the_same_file(run, int8, faces, tmp_path):
    again = quantize(Bundle(run.bundle_path), faces.train.images, tmp_path / "again.onnx")
    assert again.path.read_bytes() == int8.path.read_bytes()


def test_what_cannot_be_quantised_is_refused_and_nothing_is_left(run, int8, faces, tmp_path):
    with pytest.raises(BundleError, match="is int8 already"):
        quantize(int8, faces.train.images, tmp_path / "twice.onnx")
    with pytest.raises(BundleError, match=r"5 faces .*, expected at least 100"):
        quantize(Bundle(run.bundle_path), faces.images[:5], tmp_path / "few.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("crop", [CropSpec(64, 3), CropSpec(112, 3), CropSpec(96, 1)], ids=str)
def test_crops_of_any_kind_are_quantized(crop, tmp_path):
    bundle = Bundle(write_bundle(tmp_path / "own.onnx", crop=crop))
    levels = np.random.default_rng(0).integers(0, 256, (120, *crop.shape[2:]))
    images = np.broadcast_to(levels[:, None, None], (120, *crop.shape)).astype(np.uint8)
    int8 = quantize(bundle, images, tmp_path / "int8.onnx")
    assert (int8.metadata.precision, int8.crop, int8.labels) == ("int8", crop, bundle.labels)
    expected, found = (one.predict(images)[1] for one in (bundle, int8))
    assert (expected.argmax(1) == found.argmax(1)).mean() > 0.9
    with pytest.raises(BundleError, match=f"{crop} as mean-colour reads them"):
        quantize(bundle, images[:, 1:], tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


@pytest.mark.parametrize(
    ("name", "threads"),
    [("trained", 3), ("mien-s", 1), ("mien-s", 3), ("mien-xs", 3), ("mien-xs", 16)],
)
def test_an_answer_does_not_depend_on_the_other_faces_of_a_call(name, threads, int8):
    bundle = Bundle(int8.path if name == "trained" else name, threads=threads)
    noise = np.random.default_rng(0).integers(0, 256, (65, *bundle.crop.shape), np.uint8)
    smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 4) for image in noise])
    for faces in (noise[::4], (smooth - smooth.min()) * 4):
        together = bundle.predict(faces)  # 65 faces: the last one is alone in its call
        alone = [bundle.predict(face[None]) for face in faces]
        pairs = [bundle.predict(faces[start : start + 2]) for start in range(0, len(faces), 2)]
        for part in (0, 1):
            for several in (alone, pairs):
                # The features are equal to the bit; the dense layers are float.
                np.testing.assert_allclose(
                    np.concatenate([answer[part] for answer in several]),
                    together[part],
                    rtol=0,
                    atol=1e-6,
                )


def test_mirrored_kernels_read_a_mirrored_face_as_the_face_in_8_bits():
    bundle = Bundle("mien-xs")
    noise = np.random.default_rng(0).integers(0, 256, (64, *bundle.crop.shape), np.uint8)
    for faces in (noise, cv2.blur(noise.transpose(1, 2, 0), (9, 9)).transpose(2, 0, 1)):
        mirrored = np.ascontiguousarray(faces[:, :, ::-1])
        np.testing.assert_allclose(
            bundle.predict(faces)[1], bundle.predict(mirrored)[1], rtol=0, atol=1e-6
        )
        upside_down = np.ascontiguousarray(faces[:, ::-1])
        assert not np.allclose(bundle.predict(faces)[1], bundle.predict(upside_down)[1], atol=0.01)
