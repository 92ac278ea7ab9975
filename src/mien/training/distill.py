"""Trained runs as teachers: a student learns what they see in each image, beside its label."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.data import FaceDataset
from mien.errors import RecipeError, RunError
from mien.io.files import expand_user
from mien.labels import NUM_CLASSES
from mien.models import Classifier
from mien.recipes import Recipe
from mien.recipes.sections import DistillSection
from mien.runs.run import Run
from mien.training.finalize import load_kept


class Teachers:
    """A frozen teacher ensemble; each network has an equal say.

    They are no part of the student, so no checkpoint of it holds them.

    Args:
        classifiers: in evaluation mode.
        distill: the temperature at which they speak.
    """

    def __init__(self, classifiers: list[Classifier], distill: DistillSection) -> None:
        self.classifiers = classifiers
        self.distill = distill

    @torch.no_grad()
    def ask(self, unit: Tensor) -> Tensor:
        """Return the teachers' mean probabilities, softened by the temperature of the recipe.

        With ``in_turn`` each image asks one of them. The gradient of the loss is linear in their
        probabilities, and without ``views`` each epoch draws its batches anew, so on average it is
        the same.

        Shape: (batch, 1, height, width) -> float32 (batch, 7).
        """
        return self._in_turn(unit) if self.distill.in_turn else self._all(unit)

    def _all(self, unit: Tensor) -> Tensor:
        return torch.stack([self._ask(teacher, unit) for teacher in self.classifiers]).mean(0)

    def _in_turn(self, unit: Tensor) -> Tensor:
        shares = torch.empty(len(unit), NUM_CLASSES, device=unit.device)
        for first, teacher in enumerate(self.classifiers[: len(unit)]):
            its = slice(first, None, len(self.classifiers))
            shares[its] = self._ask(teacher, unit[its])
        return shares

    def _ask(self, teacher: Classifier, unit: Tensor) -> Tensor:
        logits = teacher.to(unit.device)(unit).float()
        return F.softmax(logits / self.distill.temperature, dim=1)


def find_teachers(recipe: Recipe) -> list[Run]:
    """Return the runs that a recipe names as teachers.

    Raises:
        RecipeError: if one is no run, or has no weights yet.
    """
    runs = []
    for name in recipe.distill.teachers:
        try:
            run = Run(expand_user(name))
            load_kept(run)
        except RunError as error:
            raise RecipeError(
                f"distill.teachers: {error}; train that first, or without teachers: "
                "--set 'distill.teachers=[]'"
            ) from None
        runs.append(run)
    return runs


def load_teachers(recipe: Recipe, dataset: FaceDataset) -> Teachers | None:
    """Load a recipe's teachers; None where it names none.

    Raises:
        RecipeError: if one is no run, or was not trained on this data set with these splits: what
            it had learnt from images of val or test, the student would learn from it.
    """
    runs = find_teachers(recipe)
    for run in runs:
        if run.record.data.fingerprint != dataset.fingerprint:
            raise RecipeError(
                f"distill.teachers: {run.path} was trained on {run.record.data.name} "
                f"({run.record.data.fingerprint}), not on this data set with these splits "
                f"({dataset.fingerprint}); it may have learnt from images of val or test"
            )
    if not runs:
        return None
    return Teachers([load_kept(run)[0].eval() for run in runs], recipe.distill)
