"""Every family for other classes and crops than FER-2013's, from weights to Bundle."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from mien.bundle.export import export_bundle
from mien.bundle.metadata import BundleMetadata, CropRecord
from mien.errors import RecipeError
from mien.images.crop import CropSpec
from mien.labels import BUILT_IN, FER2013, LabelSet
from mien.models import Task, build_model, count_macs, to_unit
from mien.models.layers import LEAST_CAM_CELLS
from mien.recipes.families import FAMILIES, typed_section

THREE = LabelSet(("negative", "neutral", "positive"))
LABELS = {3: THREE, 7: FER2013, 8: BUILT_IN["affectnet8"]}
CROPS = {"48 gray": CropSpec(48), "64 colour": CropSpec(64, 3), "112 colour": CropSpec(112, 3)}
# Small networks, where a family can be small.
SMALL = {
    "stacked": {"channels": [4, 8, 8], "dense": [8]},
    "mien_net": {"stem": 4, "channels": [8, 8], "blocks": [0, 1]},
    "inception": {"stem": 8, "channels": [16, 16], "blocks_per_stage": 1},
}
# densenet169 has 13 M parameters, and takes half a minute to export.
SLOW = {"densenet"}


def task_of(classes, crop):
    return Task(LABELS[classes], CROPS[crop])


def section_of(family, **settings):
    return typed_section({"family": family, **SMALL.get(family, {}), **settings})


def images_of(task, count=4):
    shape = (count, *task.crop.shape)
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


@pytest.fixture(params=FAMILIES.names())
def family(request):
    return request.param


@pytest.fixture(params=itertools.product(LABELS, CROPS), ids=lambda case: "{}, {}".format(*case))
def task(request):
    return task_of(*request.param)


def test_a_logit_for_each_class_from_any_crop(family, task):
    classifier = build_model(section_of(family), task).eval()
    maps = []
    classifier.network.cam_layer.register_forward_hook(lambda *hooked: maps.append(hooked[-1]))
    with torch.no_grad():
        logits = classifier(to_unit(images_of(task)))
    assert logits.shape == (4, task.num_classes)
    assert logits.isfinite().all()
    assert min(maps[0].shape[2:]) >= LEAST_CAM_CELLS
    assert count_macs(classifier) > 0


@pytest.mark.parametrize("normalization", ["unit", "standardize", "imagenet"])
def test_colours_matter_whatever_the_normalization(normalization):
    task = task_of(3, "64 colour")
    section = section_of("mien_net", normalization=normalization)
    classifier = build_model(section, task).eval()
    images = images_of(task)
    with torch.no_grad():
        logits, swapped = classifier(to_unit(images)), classifier(to_unit(images.flip(3)))
    assert not torch.allclose(logits, swapped, atol=1e-4)


def test_standardized_colours_have_mean_0_and_std_1_over_all_channels():
    task = task_of(3, "64 colour")
    classifier = build_model(section_of("mien_net", normalization="standardize"), task)
    normalized = classifier.normalize(to_unit(images_of(task)))
    torch.testing.assert_close(normalized.mean((1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    deviations = normalized.std((1, 2, 3), correction=0)
    torch.testing.assert_close(deviations, torch.ones(4), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("family", "classes", "crop"),
    [
        pytest.param(family, classes, crop, marks=[pytest.mark.slow] if family in SLOW else [])
        for family in FAMILIES.names()
        for classes, crop in ((3, "112 colour"), (8, "64 colour"))
    ],
)
def test_the_bundle_reads_what_the_network_reads(family, classes, crop, tmp_path):
    task = task_of(classes, crop)
    classifier = build_model(section_of(family), task, seed=3).eval()
    metadata = BundleMetadata(
        name="any", labels=task.labels.names, crop=CropRecord.of(task.crop), parameters=1,
        mien_version="0",
    )  # fmt: skip
    images = images_of(task)
    bundle = export_bundle(classifier, metadata, tmp_path / "any.onnx", samples=images.numpy())
    assert (bundle.labels, bundle.crop) == (task.labels.names, task.crop)
    with torch.no_grad():
        expected = classifier(to_unit(images)).numpy()
    np.testing.assert_allclose(bundle.predict(images.numpy())[0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "settings", "size_px", "said"),
    [
        ("densenet", {}, 24, "densenet takes crops of 32 to 224 px"),
        ("stacked", {"channels": [4] * 5}, 24, "5 stages, .* need crops of 32 px or more"),
        ("mien_net", {"input_px": 64}, 48, "input_px = 64: the crops have 48 px"),
    ],
)
def test_crops_that_a_family_cannot_take_are_refused(family, settings, size_px, said):
    with pytest.raises(RecipeError, match=said):
        build_model(section_of(family, **settings), Task(THREE, CropSpec(size_px)))
