"""Explanations of networks with other labels and crops than FER-2013's."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bundles import RED_GREEN_BLUE, write_bundle
from tests.evaluation.test_other_labels import COLOUR, coloured

from mien.bundle.bundle import Bundle
from mien.bundle.export import export_bundle
from mien.bundle.metadata import BundleMetadata, CropRecord
from mien.explain.faces import ReadFace, explain_faces
from mien.explain.grad_cam import grad_cam
from mien.explain.neighbours import nearest_faces
from mien.explain.network import load_network
from mien.explain.occlusion import mean_occlusion, occlusion_maps
from mien.explain.overview import explain_split
from mien.explain.sanity import check_maps
from mien.images.crop import CropSpec
from mien.labels import LabelSet
from mien.models import Task, build_model, count_parameters
from mien.models.weights import save_weights
from mien.recipes.recipe import parse_recipe
from mien.vision.reading import Reading

RECIPE = {
    "name": "colours",
    "model": {"family": "stacked", "channels": [4, 8, 8]},
    "data": {"size_px": 64, "channels": 3, "labels": list(RED_GREEN_BLUE)},
}


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Bundle:
    """A Bundle of three classes in colour, with its float weights beside it; it learned nothing."""
    recipe = parse_recipe(RECIPE, where="the test")
    task = Task(LabelSet(RED_GREEN_BLUE), COLOUR)
    classifier = build_model(recipe.model, task, seed=2)
    metadata = BundleMetadata(
        name="colours", labels=RED_GREEN_BLUE, crop=CropRecord.of(COLOUR),
        parameters=count_parameters(classifier), recipe=recipe.as_dict(), mien_version="0",
    )  # fmt: skip
    path = tmp_path_factory.mktemp("network") / "colours.onnx"
    save_weights(classifier.state_dict(), path.with_suffix(".safetensors"), task)
    return export_bundle(classifier, metadata, path)


@pytest.fixture
def faces():
    return coloured([0, 1, 2, 0, 1, 2], ["train"] * 6)


@pytest.mark.parametrize("crop", [CropSpec(24), CropSpec(64, 3), CropSpec(112), CropSpec(200, 3)])
def test_a_covered_spot_matters_wherever_and_however_large(tmp_path, crop):
    """A light spot in the dark, as large a share of every crop, which the Bundle reads by light."""
    names = ("dark", "light")
    bundle = Bundle(write_bundle(tmp_path / "model.onnx", names, crop))
    image = np.zeros(crop.shape, np.uint8)
    high, low = round(0.6 * crop.size_px), round(0.4 * crop.size_px)
    image[low:high, low:high] = 255
    (one,) = occlusion_maps(bundle, image[None], np.array([1]))
    assert one.shape == (crop.size_px, crop.size_px)
    row, column = np.unravel_index(one.argmax(), one.shape)
    assert low <= row < high
    assert low <= column < high
    assert one[0, 0] <= 0 < one.max()


def test_each_face_is_read_82_times_at_every_size():
    class Counter:
        read = 0

        def predict(self, images):
            self.read += len(images)
            return (np.zeros((len(images), 2), np.float32),) * 2

    for side in range(24, 225, 8):
        bundle = Counter()
        occlusion_maps(bundle, np.zeros((1, side, side), np.uint8), np.array([0]))
        assert bundle.read == 82, side


def test_the_patch_has_the_mean_colour_so_that_a_flat_face_has_an_empty_map(tmp_path):
    bundle = Bundle(write_bundle(tmp_path / "model.onnx"))
    flat = np.full((1, 64, 64, 3), (200, 60, 10), np.uint8)
    assert not occlusion_maps(bundle, flat, np.array([0])).any()


def test_a_class_without_faces_has_no_mean(tmp_path, faces):
    bundle = Bundle(write_bundle(tmp_path / "model.onnx"))
    images = faces.images[faces.labels < 2]
    maps = mean_occlusion(bundle, images, faces.labels[faces.labels < 2], per_class=1)
    assert maps.shape == (3, 64, 64)
    assert np.isnan(maps[2]).all()
    assert np.isfinite(maps[:2]).all()


def test_the_network_beside_a_bundle_has_its_labels_and_crop(network, faces):
    classifier = load_network(network.path)
    assert classifier.task == Task(LabelSet(RED_GREEN_BLUE), COLOUR)
    maps = grad_cam(classifier, faces.images, faces.labels)
    assert maps.shape == (6, 64, 64)
    assert maps.max() <= 1
    assert nearest_faces(classifier, faces.images[:2], faces.images, count=1).tolist() == [[0], [1]]
    sanity = check_maps(classifier, faces.images, faces.labels)
    assert sanity is None or sanity.images <= 6


def test_a_whole_split_is_explained(network, faces):
    """A class without images in it, and one that is never read."""
    some = faces.take(np.flatnonzero(faces.labels != 1))
    predictions = np.zeros(len(some), np.int64)
    found = explain_split(network.path, network, some.images, some.labels, predictions)
    assert found.without == ""
    assert [one.emotion for one in found.importances] == ["red", "blue"]
    assert found.importances[0].face.shape == (64, 64, 3)
    assert found.importances[0].face[..., 0].mean() > 200  # red comes first
    assert {(one.label, one.emotion) for one in found.examples} == {("red", "red"), ("blue", "red")}


def test_faces_are_explained_with_the_names_of_the_bundle(network, faces):
    answer = dict(zip(RED_GREEN_BLUE, (0.1, 0.1, 0.8), strict=True))
    reading = Reading("face.png", (0, 0, 64, 64), 1.0, "blue", answer)
    read = [ReadFace(faces.images[2], reading)]
    (one,), _ = explain_faces(network, load_network(network.path), read, known=faces)
    assert one.occlusion.shape == one.cam.shape == (64, 64)
    assert one.nearest[0].label == "blue"
    assert np.array_equal(one.nearest[0].image, faces.images[2])
