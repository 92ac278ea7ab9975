from __future__ import annotations

import re
import shutil

import numpy as np
import onnx
import pytest
import torch
from tests.bundles import RED_GREEN_BLUE, change_property, write_bundle
from torch import nn

from mien.bundle.bundle import Bundle, find_bundle, refuse_other_suffix, shipped_bundles
from mien.bundle.export import export_bundle, update_metadata
from mien.bundle.metadata import BundleMetadata
from mien.errors import BundleError
from mien.evaluation.calibration import softmax
from mien.images.crop import CropSpec
from mien.labels import BUILT_IN, FER2013
from mien.models import Classifier
from mien.models.base import Network
from mien.training.export import export, export_int8


@pytest.fixture
def bundle(run):
    return Bundle(run.bundle_path)


def test_it_says_what_it_is(bundle, run):
    metadata = bundle.metadata
    assert metadata.labels == FER2013.names == bundle.labels
    assert metadata.name == "quick"
    assert metadata.parameters == run.record.parameters
    assert metadata.recipe["train"]["epochs"] == 2
    assert metadata.data.fingerprint == run.record.data.fingerprint
    assert metadata.scores[0].protocol.split == "val"
    assert "not feelings" in metadata.note


def test_the_graph_keeps_the_contract(bundle):
    graph = onnx.load(bundle.path).graph
    (images,) = graph.input
    assert images.name == "images"
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    dimensions = images.type.tensor_type.shape.dim
    assert dimensions[0].dim_param
    assert [dimension.dim_value for dimension in dimensions[1:]] == [48, 48]
    assert [output.name for output in graph.output] == ["logits", "probabilities"]
    onnx.checker.check_model(onnx.load(bundle.path), full_check=True)


@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_any_number_of_faces_can_be_read(bundle, faces, count):
    images = np.resize(faces.images, (count, 48, 48))
    logits, probabilities = bundle.predict(images)
    assert logits.shape == probabilities.shape == (count, 7)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(logits.argmax(1), probabilities.argmax(1))


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 48, 48), np.float32), np.zeros((2, 64, 64), np.uint8), np.zeros((48,), np.uint8)],
)
def test_other_shapes_and_types_are_refused(bundle, images):
    with pytest.raises(BundleError, match="expected uint8"):
        bundle.predict(images)


def test_it_carries_no_path_of_the_machine_that_made_it(bundle, run):
    for path in (bundle.path, *shipped_bundles().values()):
        model = onnx.load(path)
        del model.graph.initializer[:]  # numbers, which may look like anything
        assert not re.search(r"\.py\b", str(model))
        assert str(run.path.parent) not in str(model)


def test_probabilities_are_the_softmax_of_the_logits(bundle, faces):
    logits, probabilities = bundle.predict(faces.images[:9])
    np.testing.assert_allclose(probabilities, softmax(logits), atol=1e-6)


def test_export_again_gives_the_same_and_keeps_the_scores(run, bundle, faces, tmp_path):
    again = export(run.path, tmp_path / "again.onnx")
    assert again.metadata == bundle.metadata
    np.testing.assert_array_equal(again.predict(faces.images)[0], bundle.predict(faces.images)[0])


def test_new_metadata_leave_the_graph_alone(run, faces, tmp_path):
    path = tmp_path / "copy.onnx"
    shutil.copy(run.bundle_path, path)
    before = Bundle(path)
    changed = update_metadata(before, before.metadata.model_copy(update={"name": "other"}))
    assert changed.metadata.name == "other"
    np.testing.assert_array_equal(
        changed.predict(faces.images)[0], Bundle(run.bundle_path).predict(faces.images)[0]
    )


class _Unstable(Network):
    """Cancels numbers so large that no two runtimes round them alike."""

    backbone = cam_layer = None

    def __init__(self):
        super().__init__()
        self.head = nn.Sequential()

    def forward_features(self, images):
        flat = images.flatten(1) * 1e6
        return (flat.cumsum(1)[:, -1:] - flat.sum(1, keepdim=True)) * torch.ones(7)


def test_a_network_that_onnx_runtime_reads_otherwise_is_not_written(tmp_path):
    metadata = BundleMetadata(name="x", parameters=0, mien_version="0")
    with pytest.raises(BundleError, match="differ from torch's by"):
        export_bundle(Classifier(_Unstable(), "unit"), metadata, tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_bundle_is_said(run, tmp_path):
    with pytest.raises(BundleError, match="no such file"):
        Bundle(tmp_path / "nowhere.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(BundleError, match="not an ONNX file"):
        Bundle(tmp_path / "text.onnx")
    model = onnx.load(run.bundle_path)
    properties = {p.key: p.value for p in model.metadata_props}
    onnx.helper.set_model_props(model, {**properties, "mien_format": "3"})
    onnx.save(model, tmp_path / "future.onnx")
    with pytest.raises(BundleError, match="does not know"):
        Bundle(tmp_path / "future.onnx")
    onnx.helper.set_model_props(model, {**properties, "name": '"x/../../evil"'})
    onnx.save(model, tmp_path / "named.onnx")
    with pytest.raises(BundleError, match="name: expected a valid file name"):
        Bundle(tmp_path / "named.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "plain.onnx")
    with pytest.raises(BundleError, match="no mien metadata"):
        Bundle(tmp_path / "plain.onnx")


def test_bundles_are_found_by_name_file_and_run(run, tmp_path):
    assert find_bundle(run.bundle_path) == run.bundle_path
    assert find_bundle(run.path) == run.bundle_path
    name, path = next(iter(shipped_bundles().items()))
    assert find_bundle() == find_bundle(name) == path
    with pytest.raises(BundleError, match=f"did you mean '{name}'"):
        find_bundle(name[:-1])
    with pytest.raises(BundleError, match="holds no Bundle"):
        find_bundle(tmp_path)
    for missing in ("nowhere.onnx", "mien-s.ONNX", "runs/nowhere"):
        with pytest.raises(BundleError, match=f"{missing}: no such file or run, expected a Bundle"):
            find_bundle(missing)
    assert Bundle(name).path == path


@pytest.mark.parametrize("name", shipped_bundles())
def test_every_shipped_bundle_reads_and_states_its_protocol(name, faces):
    bundle = Bundle(find_bundle(name))
    assert bundle.path.stat().st_size < 4e6
    assert bundle.predict(faces.images[:3])[1].shape == (3, 7)
    assert bundle.metadata.scores[0].protocol.images > 1000


@pytest.mark.parametrize(
    ("names", "crop"),
    [
        (RED_GREEN_BLUE, CropSpec(64, 3)),
        (BUILT_IN["ferplus"].names, CropSpec(112, 1)),
        (tuple(f"class {number}" for number in range(20)), CropSpec(24, 3)),
    ],
)
def test_a_bundle_of_any_labels_and_crops_says_them_and_reads(names, crop, tmp_path):
    bundle = Bundle(write_bundle(tmp_path / "own.onnx", names, crop))
    assert bundle.labels == bundle.label_set.names == names
    assert bundle.crop == crop
    images = np.random.default_rng(0).integers(0, 256, (70, *crop.shape), np.uint8)
    logits, probabilities = bundle.predict(images)
    assert logits.shape == probabilities.shape == (70, len(names))
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    with pytest.raises(BundleError, match=f"expected uint8 .*, {crop} as mean-colour reads them"):
        bundle.predict(images[:, 1:])


def test_colour_crops_are_red_green_blue(tmp_path):
    bundle = Bundle(write_bundle(tmp_path / "own.onnx"))
    crops = np.zeros((3, 64, 64, 3), np.uint8)
    for label in range(3):
        crops[label, ..., label] = 200
    assert bundle.predict(crops)[1].argmax(1).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"graph_labels": 4}, "'logits' of its graph has the shape (batch, 4), expected (N, 3)"),
        ({"graph_crop": CropSpec(48, 3)}, "shape (batch, 48, 48, 3), expected (N, 64, 64, 3)"),
        ({"graph_crop": CropSpec(64, 1)}, "shape (batch, 64, 64), expected (N, 64, 64, 3)"),
    ],
)
def test_a_graph_that_its_metadata_do_not_describe_is_refused(wrong, said, tmp_path):
    with pytest.raises(BundleError, match=f"a damaged Bundle: .*{re.escape(said)}"):
        Bundle(write_bundle(tmp_path / "own.onnx", **wrong))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("labels", '["a"]', "labels: only 'a', expected two classes or more"),
        ("labels", '["a", "b", "A"]', "labels: 'A' is given twice"),
        ("labels", "3", "labels: Input should be"),
        ("labels", '["a", ', r"does not know \(labels: not JSON\); update mien"),
        ("crop", '{"size_px": 7}', "crop: size_px = 7: expected 24 to 224"),
        ("crop", '{"size_px": 64, "channels": 2}', "crop: Input should be 1 or 3"),
        ("crop", "5", "crop: Input should be"),
    ],
)
def test_damaged_labels_and_crops_are_said_when_it_is_opened(name, value, said, tmp_path):
    path = change_property(write_bundle(tmp_path / "own.onnx"), name, value)
    with pytest.raises(BundleError, match=said) as caught:
        Bundle(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["x.tflite", "x.onnx.gz", "x.pt", "x", "out/", ".onnx"])
def test_a_name_of_another_kind_is_refused(name):
    with pytest.raises(BundleError, match=r"expected a name that ends in \.onnx"):
        refuse_other_suffix(name)
    refuse_other_suffix("runs/x.ONNX")


@pytest.mark.parametrize("write", [export, export_int8])
def test_an_export_to_another_kind_of_file_is_refused(write, run, tmp_path):
    with pytest.raises(BundleError, match=r"x\.tflite: a Bundle is an ONNX file"):
        write(run, tmp_path / "x.tflite")
    assert list(tmp_path.iterdir()) == []


def test_in_float_the_other_faces_of_a_call_change_no_more_than_rounding(bundle, faces):
    together = bundle.predict(faces.images)[1]
    alone = np.concatenate([bundle.predict(face[None])[1] for face in faces.images])
    np.testing.assert_allclose(alone, together, atol=1e-6, rtol=0)
