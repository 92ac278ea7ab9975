"""Distillation: a student learns the probabilities of trained runs in addition to the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.data import FaceDataset
from mien.errors import RecipeError, RunError
from mien.io.files import expand_user
from mien.models import Classifier
from mien.recipes import Recipe
from mien.recipes.sections import DistillSection
from mien.runs.run import Run
from mien.training.kept import load_kept

_MEND: Final = "train that run first, or train without teachers: --set 'distill.teachers=[]'"


class Teachers:
    """A frozen teacher ensemble, in which every network has the same weight.

    The teachers are not part of the student, so its checkpoints do not contain them.

    Args:
        classifiers: networks of the teachers, in evaluation mode.
        distill: recipe section with the temperature, and whether the teachers take turns.
    """

    def __init__(self, classifiers: list[Classifier], distill: DistillSection) -> None:
        self.classifiers = classifiers
        self.distill = distill

    @torch.no_grad()
    def ask(self, unit: Tensor) -> Tensor:
        """Return the mean probabilities of the teachers, softened by the recipe's temperature.

        With ``in_turn`` each image is read by one teacher alone. The gradient of the loss is linear
        in the probabilities, and without ``views`` each epoch draws new batches, so the gradient is
        the same on average.

        Shape: (batch, channels, height, width) -> float32 (batch, classes).
        """
        return self._in_turn(unit) if self.distill.in_turn else self._all(unit)

    def _all(self, unit: Tensor) -> Tensor:
        return torch.stack([self._ask(teacher, unit) for teacher in self.classifiers]).mean(0)

    def _in_turn(self, unit: Tensor) -> Tensor:
        classes = self.classifiers[0].task.num_classes
        shares = torch.empty(len(unit), classes, device=unit.device)
        for first, teacher in enumerate(self.classifiers[: len(unit)]):
            its = slice(first, None, len(self.classifiers))
            shares[its] = self._ask(teacher, unit[its])
        return shares

    def _ask(self, teacher: Classifier, unit: Tensor) -> Tensor:
        logits = teacher.to(unit.device)(unit).float()
        return F.softmax(logits / self.distill.temperature, dim=1)


class Teacher(NamedTuple):
    """A finished run that serves as a teacher, with its network in evaluation mode."""

    run: Run
    classifier: Classifier


def load_teachers(recipe: Recipe, *, mend: str = _MEND) -> list[Teacher]:
    """Load the runs that a recipe names as teachers.

    Args:
        recipe: recipe of the student.
        mend: advice for a missing teacher, with which the message ends.

    Raises:
        RecipeError: if one is not a run, or has no weights yet.
    """
    teachers = []
    for name in recipe.distill.teachers:
        try:
            run = Run(expand_user(name))
            classifier, _ = load_kept(run)
        except RunError as error:
            raise RecipeError(f"distill.teachers: {error}; {mend}") from None
        teachers.append(Teacher(run, classifier.eval()))
    return teachers


def check_teachers(teachers: Sequence[Teacher], dataset: FaceDataset) -> None:
    """Raise an error unless every teacher was trained on this data set with these splits.

    Any other teacher may have learned from images of val or test, and would pass that on to the
    student.

    Raises:
        RecipeError: for the first teacher that was trained on other images.
    """
    for run, _ in teachers:
        if run.record.data.fingerprint != dataset.fingerprint:
            raise RecipeError(
                f"distill.teachers: {run.path} was trained on {run.record.data.name} "
                f"({run.record.data.fingerprint}), not on this data set with these splits "
                f"({dataset.fingerprint}); it may have learned from images of val or test"
            )
