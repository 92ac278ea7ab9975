"""Training section: curves, network, optimizer, duration, and examples of the augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mien.data import FaceDataset
from mien.recipes import Recipe
from mien.reports.sections.base import SECTIONS, Section
from mien.reports.svg import COLOURS, INK, STYLE, new_figure
from mien.types import Crop, Images

_TRAIN, _VAL = COLOURS[:2]
_AUGMENTED_CLASSES: Final = 3  # the first ones with training images
_COPIES: Final = 4
_SEED: Final = 0


@dataclass(frozen=True, eq=False)
class Augmented:
    """A training face and augmented copies of it.

    Args:
        label: class that the face is labelled with.
        image: face crop.
        copies: augmented copies. Shape: uint8 (4, …).
    """

    label: str
    image: Crop
    copies: Images


@SECTIONS.register("training")
class TrainingSection(Section):
    """Report section about the training of a run; left out of the report of a Bundle."""

    title = "Training"
    order = 20
    needs = ("run",)

    @property
    def seconds(self) -> float:
        """Duration of all epochs, in seconds."""
        return sum(row["seconds"] for row in self.content.history)

    @property
    def images_per_second(self) -> float:
        """Mean training speed over the epochs, of which there is at least one."""
        speeds = [row["images_per_second"] for row in self.content.history]
        return sum(speeds) / len(speeds)

    @cached_property
    def augmented(self) -> list[Augmented]:
        """Examples of the augmentation; none without the data set."""
        run, dataset = self.content.run, self.content.dataset
        return augment_examples(dataset, run.recipe) if run and dataset else []

    def figures(self) -> dict[str, Figure]:
        """Return loss, accuracy and learning rate against epochs."""
        history, bundle = self.content.history, self.content.bundle
        if not history:
            return {}
        kept = bundle.metadata.epoch if bundle else None
        return {
            "loss": draw_curve(history, "loss", kept),
            "accuracy": draw_curve(history, "accuracy", kept),
            "rate": draw_rate(history),
        }

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the history, one row per epoch."""
        return {"history": list(self.content.history)}

    def numbers(self) -> dict[str, Any]:
        """Return the history, one object per epoch."""
        return {"history": list(self.content.history)}

    def count_faces(self) -> int:
        """Return the number of faces of the data set that the section shows."""
        return sum(1 + len(example.copies) for example in self.augmented)


@mpl.rc_context(STYLE)
def draw_curve(
    history: Sequence[dict[str, float]], quantity: str, kept_epoch: int | None
) -> Figure:
    """Draw the loss or the accuracy in training and validation against epochs.

    Args:
        history: rows of a run's history, at least one.
        quantity: ``loss`` or ``accuracy``.
        kept_epoch: epoch whose weights were kept, which is marked; None for no mark.
    """
    figure, axes = new_figure(2.9)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) == 1 else None
    for split, colour, style in (("train", _TRAIN, "--"), ("val", _VAL, "-")):
        values = [row[f"{split}_{quantity}"] for row in history]
        axes.plot(epochs, values, style, color=colour, label=split, marker=marker)
    if kept_epoch is not None:
        axes.axvline(kept_epoch, color=INK, alpha=0.5, linewidth=1, linestyle=":")
        axes.annotate(  # above the axes, where no curve runs
            f"kept: {kept_epoch}", (kept_epoch, 1), (0, 3), ha="center", va="bottom",
            xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=9,
        )  # fmt: skip
    axes.set_xlabel("epoch")
    axes.set_ylabel(quantity)
    _number_epochs(axes, len(epochs))
    axes.legend(loc="lower right" if quantity == "accuracy" else "upper right")
    return figure


@mpl.rc_context(STYLE)
def draw_rate(history: Sequence[dict[str, float]]) -> Figure:
    """Draw the learning rate against epochs."""
    figure, axes = new_figure(2.0)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) == 1 else None
    axes.plot(epochs, [row["lr"] for row in history], color=_TRAIN, marker=marker)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel("learning rate")
    _number_epochs(axes, len(epochs))
    return figure


def _number_epochs(axes: Axes, epochs: int) -> None:
    """Put whole numbers at the epochs, which a single epoch would not get."""
    if epochs == 1:
        axes.set_xlim(0, 2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def augment_examples(dataset: FaceDataset, recipe: Recipe) -> list[Augmented]:
    """Return a training face of each of three classes, with augmented copies.

    The list is empty if the recipe augments nothing, or there is no train split or no torch.
    """
    try:
        import torch

        from mien.models import to_levels, to_unit
        from mien.training.augment import Augmentation
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "mien":
            raise
        return []
    augmentation = Augmentation(recipe.augment, dataset.crop)
    if len(augmentation) == 0 or "train" not in dataset.split_counts():
        return []
    train = dataset.train
    examples = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        for label in np.unique(train.labels)[:_AUGMENTED_CLASSES]:
            image = train.images[np.argmax(train.labels == label)]
            batch = to_unit(torch.from_numpy(np.stack([image] * _COPIES)))
            copies = to_levels(augmentation(batch).clamp(0, 1))
            examples.append(Augmented(train.names[label], image, copies.numpy()))
    return examples
