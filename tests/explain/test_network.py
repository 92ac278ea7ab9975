from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.data.synthetic.faces import synthetic_faces
from mien.errors import BundleError, MienError
from mien.explain.network import load_network
from mien.models import to_unit


def logits(classifier, images):
    with torch.no_grad():
        return classifier(to_unit(torch.from_numpy(np.array(images)))).numpy()


def test_a_run_and_its_bundle_give_the_network_that_the_bundle_reads_with(run, faces):
    images = faces.images[:40]
    expected = Bundle(run.bundle_path).predict(images)[0]
    for named in (run.path, str(run.path), run.bundle_path):
        network = load_network(named)
        assert not network.training
        np.testing.assert_allclose(logits(network, images), expected, atol=1e-4)


def test_float_weights_next_to_a_bundle_are_found_whatever_else_they_hold(mouths):
    network = load_network(mouths.bundle.path)
    expected = mouths.bundle.predict(mouths.images)[0]
    np.testing.assert_allclose(logits(network, mouths.images), expected, atol=1e-4)


def test_shipped_weights_are_those_of_the_shipped_bundle():
    """Up to what int8 costs: drawn faces are nothing that its ranges were set by."""
    images = synthetic_faces(60, seed=3).images
    shipped = [
        name
        for name, path in shipped_bundles().items()
        if path.with_suffix(".safetensors").is_file()
    ]
    assert "mien-s" in shipped
    for name in shipped:
        bundle = Bundle(shipped_bundles()[name])
        quantized = bundle.predict(images)[0]
        network, gate = load_network(name), bundle.metadata.face_gate
        network.add_face_gate(gate.weight, gate.bias)  # drawn faces pass it by half
        exact = logits(network, images)
        assert np.abs(exact - quantized).mean() < 0.1 * exact.std()
        assert (exact.argmax(1) == quantized.argmax(1)).mean() > 0.9


def test_a_bundle_without_weights_says_what_to_name(mouths, tmp_path):
    shutil.copy(mouths.bundle.path, tmp_path / "alone.onnx")
    with pytest.raises(BundleError, match=r"alone\.onnx: no float weights.*name its run directory"):
        load_network(tmp_path / "alone.onnx")


def test_what_is_none_is_refused(mouths, run, tmp_path):
    beside = tmp_path / "one.onnx"
    shutil.copy(mouths.bundle.path, beside)
    shutil.copy(run.weights_path, beside.with_suffix(".safetensors"))
    with pytest.raises(BundleError, match=r"one\.safetensors: the weights of another network"):
        load_network(beside)
    beside.with_suffix(".safetensors").write_bytes(b"no weights")
    with pytest.raises(BundleError, match=r"one\.safetensors: damaged"):
        load_network(beside)
    for named in ("nobody", tmp_path, tmp_path / "nowhere.onnx"):
        with pytest.raises(MienError):
            load_network(named)
