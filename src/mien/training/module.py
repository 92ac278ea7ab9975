"""What Lightning trains: a classifier, its augmentation, its loss and its optimiser."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.data import FaceDataset
from mien.emotions import FERPLUS_VOTES, NUM_CLASSES
from mien.errors import RecipeError
from mien.models import Classifier, to_unit
from mien.recipes import Recipe
from mien.training.augment import build_augmentation
from mien.training.batches import Batch
from mien.training.teachers import Teachers


class Trainable(pl.LightningModule):
    """A classifier in training.

    Args:
        classifier: what is trained.
        recipe: its [augment] and [train] say how.
        class_weights: of the training loss, (7,), or None.
        teachers: whose probabilities it learns, too.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        classifier: Classifier,
        recipe: Recipe,
        class_weights: Tensor | None = None,
        teachers: Teachers | None = None,
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.recipe = recipe
        self.augmentation = build_augmentation(recipe.augment)
        self.votes_head = _votes_head(classifier, recipe) if recipe.train.votes_weight else None
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.teachers = teachers
        self._seen = {"train": _Tally(), "val": _Tally()}

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of an augmented batch."""
        images, labels, votes = batch
        with torch.autocast(self.device.type, enabled=False):  # geometry needs all its bits
            unit = self.augmentation(to_unit(images))
        if self.votes_head is None:
            logits, votes_logits = self._logits(unit), None
        else:
            network: Any = self.classifier.network  # which has features and a head, or no votes
            features = network.features(self.classifier.normalize(_channels_last(unit)))
            logits = network.head(features).float()
            votes_logits = self.votes_head(features).float()
        train, distill = self.recipe.train, self.recipe.distill
        loss: Tensor = F.cross_entropy(
            logits, labels, weight=self.class_weights, label_smoothing=train.label_smoothing
        )
        self._seen["train"].add(loss, logits, labels)
        if self.teachers is not None:
            taught = self.teachers.loss(logits, _channels_last(unit))
            loss = (1 - distill.weight) * loss + distill.weight * taught
        if votes_logits is not None:
            loss = loss + train.votes_weight * votes_loss(votes_logits, votes)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Tally the plain cross-entropy and the hits of a batch, as it is."""
        images, labels = batch[:2]
        # In fp32, as the Bundle computes: else the history and the evaluation would disagree.
        with torch.autocast(self.device.type, enabled=False):
            logits = self._logits(to_unit(images))
        self._seen["val"].add(F.cross_entropy(logits, labels), logits, labels)

    def on_train_epoch_start(self) -> None:
        """Start the epoch's tally."""
        self._seen = {"train": _Tally(), "val": _Tally()}

    def on_validation_epoch_end(self) -> None:
        """Publish train_loss, train_accuracy, val_loss and val_accuracy to the callbacks."""
        for split, tally in self._seen.items():
            self.log_dict({f"{split}_{name}": value for name, value in tally.means().items()})

    def running_means(self) -> dict[str, float]:
        """Return the loss and accuracy over this epoch's training batches so far."""
        return {name: float(value) for name, value in self._seen["train"].means().items()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the recipe's optimiser, with weight decay on kernels only."""
        train = self.recipe.train
        parameters = list(self.parameters())  # the votes' layer among them
        # Biases and normalisation's scales are vectors; decaying them only hurts
        # (He et al., Bag of Tricks, 2019).
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": train.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        if train.optimizer == "sgd":
            nesterov = train.momentum > 0
            return torch.optim.SGD(groups, train.lr, momentum=train.momentum, nesterov=nesterov)
        kind = torch.optim.AdamW if train.optimizer == "adamw" else torch.optim.Adam
        return kind(groups, train.lr, eps=train.epsilon, fused=True)

    def _logits(self, unit: Tensor) -> Tensor:
        logits: Tensor = self.classifier(_channels_last(unit))
        return logits.float()


class _Tally:
    """Sums over the batches of an epoch, kept on the device: reading them costs a wait."""

    def __init__(self) -> None:
        self.images = 0
        self.loss: Tensor | float = 0.0
        self.hits: Tensor | float = 0.0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.images += len(labels)
        self.loss = self.loss + loss.detach() * len(labels)
        self.hits = self.hits + (logits.argmax(1) == labels).sum()

    def means(self) -> dict[str, Any]:
        images = max(self.images, 1)
        return {"loss": self.loss / images, "accuracy": self.hits / images}


def votes_loss(logits: Tensor, votes: Tensor) -> Tensor:
    """Return the cross-entropy with the distribution of each image's votes, 0 where it has none.

    Shape: (batch, 10), votes (batch, 10) -> ().
    Source: Barsoum et al., Training Deep Networks for Facial Expression Recognition with
    Crowd-Sourced Label Distribution, 2016, their "cross-entropy loss".
    """
    shares = votes / votes.sum(1, keepdim=True).clamp_min(1)
    return F.cross_entropy(logits, shares)


def _votes_head(classifier: Classifier, recipe: Recipe) -> nn.Linear:
    """Build the layer from features to FER+ votes, which is trained beside the labels' own.

    Raises:
        RecipeError: if the family does not say what its features are.
    """
    num_features = getattr(classifier.network, "num_features", None)
    if num_features is None:
        raise RecipeError(
            "train.votes_weight: this family of networks has no features to read votes from, "
            "mien_net has; set it to 0"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.train.seed)
        return nn.Linear(num_features, len(FERPLUS_VOTES))


def backbone_of(classifier: Classifier) -> nn.Module:
    """Return the part of a network that can be frozen while the rest is trained.

    Raises:
        RecipeError: if its family has none.
    """
    backbone = getattr(classifier.network, "backbone", None)
    if backbone is None:
        raise RecipeError(
            "train.frozen_epochs: this family of networks has no backbone to freeze, "
            "densenet has; set it to 0"
        )
    assert isinstance(backbone, nn.Module)
    return backbone


def balanced_weights(dataset: FaceDataset) -> Tensor:
    """Return weights by which every class counts the same in the loss, 1 on average over images.

    scikit-learn's ``balanced``: images / (classes × images of the class), over classes that occur.
    """
    counts = torch.tensor(list(dataset.class_counts().values()), dtype=torch.float32)
    present = int((counts > 0).sum())
    weights = len(dataset) / (present * counts.clamp_min(1))
    return weights.where(counts > 0, torch.zeros(NUM_CLASSES))


def _channels_last(unit: Tensor) -> Tensor:
    return unit.contiguous(memory_format=torch.channels_last)


def use_channels_last(module: nn.Module) -> None:
    """Lay the kernels out channels-last in memory, the layout in which bf16 convolves fastest."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
