"""Distillation: what a student learns from, and what may not teach it."""

from __future__ import annotations

import shutil

import pytest
import torch
from tests.conftest import TINY
from tests.training.test_train import StopAt

from mien.bundle.bundle import Bundle
from mien.data import load_dataset
from mien.errors import Interrupted, RecipeError
from mien.models import build_model, to_unit
from mien.recipes import load_recipe
from mien.recipes.sections import DistillSection
from mien.runs.run import Run
from mien.training.distill import Teachers, check_teachers, load_teachers
from mien.training.targets import distillation_loss
from mien.training.train import resume, train


@pytest.fixture
def unit(faces):
    return to_unit(torch.from_numpy(faces.images[:6].copy()))


@pytest.fixture
def classifier():
    return build_model(load_recipe("quick", TINY).model).eval()


def loss(teachers, logits, unit):
    return distillation_loss(logits, teachers.ask(unit), teachers.distill.temperature)


def test_who_says_what_the_teachers_say_has_nothing_to_learn(classifier, unit):
    teachers = Teachers([classifier], DistillSection(temperature=2))
    with torch.no_grad():
        logits = classifier(unit)
        assert loss(teachers, logits, unit) == pytest.approx(0, abs=1e-5)
        assert loss(teachers, logits.flip(1), unit) > 0.01


def test_each_teacher_has_an_equal_say(classifier, unit):
    other = build_model(load_recipe("quick", TINY).model, seed=1).eval()
    both = Teachers([classifier, other], DistillSection(temperature=1))
    with torch.no_grad():
        mean = (classifier(unit).softmax(1) + other(unit).softmax(1)) / 2
        assert loss(both, mean.log(), unit) == pytest.approx(0, abs=1e-5)


def test_in_turn_each_image_asks_one_teacher(classifier, unit):
    others = [build_model(load_recipe("quick", TINY).model, seed=seed).eval() for seed in (1, 2)]
    trio = [classifier, *others]
    teachers = Teachers(trio, DistillSection(temperature=1, in_turn=True))
    with torch.no_grad():
        spoken = torch.stack([trio[i % 3](unit[i : i + 1])[0] for i in range(len(unit))])
        assert loss(teachers, spoken, unit) == pytest.approx(0, abs=1e-5)
        assert loss(teachers, spoken[:2], unit[:2]) == pytest.approx(0, abs=1e-5)  # fewer than they
        assert loss(teachers, spoken.roll(1, 0), unit) > 1e-4


def test_in_turn_the_gradient_is_on_average_that_of_all(classifier, unit):
    other = build_model(load_recipe("quick", TINY).model, seed=1).eval()
    logits = torch.randn(6, 7, generator=torch.manual_seed(0))

    def gradient(trainers, in_turn):
        mine = logits.clone().requires_grad_()
        loss(Teachers(trainers, DistillSection(in_turn=in_turn)), mine, unit).backward()
        return mine.grad

    pair = [classifier, other]
    turns = (gradient(pair, True) + gradient(pair[::-1], True)) / 2
    torch.testing.assert_close(turns, gradient(pair, False))


def test_a_student_is_trained_and_its_checkpoint_holds_no_teacher(run, layouts, tmp_path):
    settings = [*TINY, f"distill.teachers=['{run.path}']", "distill.weight=1.0"]
    student = train("quick", layouts["csv"], tmp_path / "student", overrides=settings)
    assert student.recipe.distill.teachers == (str(run.path.resolve()),)
    about = Bundle(student.bundle_path).metadata
    assert about.recipe["distill"]["teachers"] == [f"{run.path.parent.name}/{run.path.name}"]
    kept = torch.load(student.last_checkpoint, weights_only=True)["state_dict"]
    own = torch.load(run.last_checkpoint, weights_only=True)["state_dict"]
    assert kept.keys() == own.keys()
    name = next(name for name in kept if name.endswith("weight"))
    assert not torch.equal(kept[name], own[name])


def test_a_teacher_that_is_not_there_is_said_before_anything_is_trained(layouts, tmp_path):
    settings = [*TINY, f"distill.teachers=['{tmp_path / 'nobody'}']"]
    said = r"nobody: no such run directory.*without teachers: --set 'distill.teachers=\[\]'"
    with pytest.raises(RecipeError, match=said):
        train("quick", layouts["csv"], tmp_path / "student", overrides=settings)
    assert not (tmp_path / "student").exists()


def test_a_teacher_of_other_splits_is_refused(run, layouts):
    (teacher,) = load_teachers(load_recipe("quick", [*TINY, f"distill.teachers=['{run.path}']"]))
    other = load_dataset(layouts["csv"], fractions=(0.6, 0.2, 0.2))
    with pytest.raises(RecipeError, match="it may have learned from images of val or test"):
        check_teachers([teacher], other)
    check_teachers([teacher], load_dataset(*Run(run.path).record.data.paths))


def test_a_run_whose_teacher_is_gone_stays_usable(run, layouts, tmp_path):
    shutil.copytree(run.path, tmp_path / "teacher")
    settings = [*TINY, f"distill.teachers=['{tmp_path / 'teacher'}']"]
    with pytest.raises(Interrupted):
        train(
            "quick", layouts["csv"], tmp_path / "student", overrides=settings,
            listener=StopAt(2, 1),
        )  # fmt: skip
    (tmp_path / "teacher").rename(tmp_path / "moved")
    before = sorted(path.name for path in (tmp_path / "student").rglob("*"))
    with pytest.raises(RecipeError, match=r"teacher: no such run directory.*put that run back"):
        resume(tmp_path / "student")
    assert sorted(path.name for path in (tmp_path / "student").rglob("*")) == before
    assert Run(tmp_path / "student").record.status == "interrupted"
