"""One step of a training, option by option, against the same loss written out by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mien.labels import FER2013
from mien.models import build_model, to_unit
from mien.recipes import load_recipe
from mien.recipes.sections import DistillSection
from mien.training.batches import Batch
from mien.training.distill import Teachers
from mien.training.module import Trainable
from mien.training.targets import mirror_divergence, mix_up, share_votes, soft_targets

PLAIN = [
    "model.stem=8", "model.channels=[8,16]", "model.blocks=[1,0]", "model.dropout=0",
    "augment.enabled=true", "augment.rotation_degrees=0", "augment.zoom=0", "augment.shift=0",
    "augment.shear_degrees=0", "augment.flip=false", "augment.brightness=0", "augment.contrast=0",
    "augment.erasing=0", "train.label_smoothing=0", "train.votes_weight=0",
    "train.votes_in_answer=0",
]  # fmt: skip


@pytest.fixture
def batch():
    generator = torch.manual_seed(0)
    images = torch.randint(0, 256, (16, 48, 48), dtype=torch.uint8, generator=generator)
    votes = torch.randint(0, 5, (16, 10), generator=generator).float()
    votes[3] = 0
    return Batch(images, torch.arange(16) % 7, votes)


def step(batch, *overrides, teachers=None):
    """Return the loss of a step, and the module, whose batch statistics are those of the step."""
    recipe = load_recipe("mien-s", [*PLAIN, *overrides])
    module = Trainable(build_model(recipe.model), recipe, teachers=teachers)
    torch.manual_seed(7)
    return module.training_step(batch, 0), module


def logits_of(module, unit):
    return module.classifier(unit)


def test_the_label_alone(batch):
    loss, module = step(batch)
    assert loss == F.cross_entropy(logits_of(module, to_unit(batch.images)), batch.labels)


def test_votes_in_the_target(batch):
    loss, module = step(batch, "train.votes_in_target=0.5")
    targets = soft_targets(batch.labels, batch.votes, 0.5, FER2013)
    assert loss == F.cross_entropy(logits_of(module, to_unit(batch.images)), targets)


def test_a_layer_of_votes(batch):
    loss, module = step(batch, "train.votes_weight=2")
    network, unit = module.classifier.network, to_unit(batch.images)
    features = network.features(module.classifier.normalize(unit))
    expected = F.cross_entropy(network.head(features), batch.labels)
    votes = F.cross_entropy(module.votes_head(features), share_votes(batch.votes))
    torch.testing.assert_close(loss, expected + 2 * votes)


def test_mirror_consistency_trains_on_the_image_and_its_mirror(batch):
    loss, module = step(batch, "train.mirror_consistency=3")
    unit = to_unit(batch.images)
    logits = logits_of(module, torch.cat([unit, unit.flip(3)]))
    expected = F.cross_entropy(logits, torch.cat([batch.labels] * 2))
    expected = expected + 3 * mirror_divergence(*logits.chunk(2))
    torch.testing.assert_close(loss, expected)


def test_mixup_blends_images_and_targets_alike(batch):
    loss, module = step(batch, "augment.mixup=0.4")
    torch.manual_seed(7)
    targets = soft_targets(batch.labels, batch.votes, 0, FER2013)
    unit, (targets,) = mix_up(to_unit(batch.images), [targets], 0.4)
    torch.testing.assert_close(loss, F.cross_entropy(logits_of(module, unit), targets))


def test_no_augmentation_is_no_mixup_either(batch):
    loss, module = step(batch, "augment.mixup=0.4", "augment.enabled=false")
    assert loss == F.cross_entropy(logits_of(module, to_unit(batch.images)), batch.labels)


@pytest.mark.parametrize("kept", [False, True], ids=["asked in the step", "kept with the view"])
def test_teachers_have_their_share(batch, kept):
    section = DistillSection(weight=0.7, temperature=2)
    recipe = load_recipe("mien-s", PLAIN)
    teachers = Teachers([build_model(recipe.model, seed=5).eval()], section)
    taught = teachers.ask(to_unit(batch.images))
    given = batch._replace(taught=taught) if kept else batch
    settings = ("distill.weight=0.7", "distill.temperature=2")
    loss, module = step(given, *settings, teachers=teachers)
    logits = logits_of(module, to_unit(batch.images))
    spoken = F.log_softmax(logits / 2, dim=1)
    far = (taught * (taught.log() - spoken)).sum(1).mean() * 4
    torch.testing.assert_close(loss, 0.3 * F.cross_entropy(logits, batch.labels) + 0.7 * far)
