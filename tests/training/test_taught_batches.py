from __future__ import annotations

import pytest
import torch
from tests.conftest import TINY

from mien.models import build_model, to_unit
from mien.recipes import load_recipe
from mien.recipes.sections import AugmentSection, DistillSection
from mien.training.augment import Augmentation
from mien.training.distill import Teachers
from mien.training.taught_batches import TaughtBatches
from mien.training.train import train

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def teachers():
    return Teachers([build_model(load_recipe("quick", TINY).model).eval()], DistillSection())


def views_of(faces, teachers, count=2):
    augmentation = Augmentation(AugmentSection(rotation_degrees=20, flip=True))
    return TaughtBatches(
        faces,
        32,
        CPU,
        seed=3,
        augmentation=augmentation,
        teachers=teachers,
        views=count,
        bf16=False,
    )


def test_a_view_comes_with_what_its_teachers_say_of_it(faces, teachers):
    for batch in views_of(faces, teachers):
        expected = teachers.ask(to_unit(batch.images))
        torch.testing.assert_close(batch.taught, expected, atol=1e-3, rtol=1e-2)  # float16
    assert batch.images.dtype == torch.uint8


def test_augmented_versions_return_and_each_differs_from_the_next(faces, teachers):
    views = views_of(faces, teachers)

    for epoch in range(3):
        views.epoch = epoch
        list(views)
    assert views._made.keys() == {0, 1}  # the third epoch shows the first view again
    first, second = (views._made[number][0] for number in (0, 1))
    assert first.shape == second.shape == torch.Size([len(faces), 48, 48])
    assert not torch.equal(first, second)


def test_a_view_depends_on_the_seed_and_its_number_alone(faces, teachers):
    one, other = views_of(faces, teachers), views_of(faces, teachers)
    other.epoch = 1
    next(iter(other))
    other.epoch = 0
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert torch.equal(next(iter(other)).images, next(iter(one)).images)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_student_learns_from_augmented_versions(run, layouts, tmp_path):
    settings = [*TINY, f"distill.teachers=['{run.path}']", "distill.views=1"]
    student = train("quick", layouts["csv"], tmp_path / "student", overrides=settings)
    first, second = student.history()
    assert second["train_loss"] < first["train_loss"]
