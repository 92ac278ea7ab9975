"""The Lightning module: a classifier with its augmentation, loss and optimizer."""

from __future__ import annotations

from pathlib import Path

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from mien.data import FaceDataset
from mien.data.fer2013 import FERPLUS_VOTES
from mien.io.names import readable_name
from mien.models import Classifier, to_unit
from mien.models.weights import VOTES_HEAD
from mien.recipes import Recipe
from mien.training.augment import Augmentation
from mien.training.batches import Batch
from mien.training.distill import Teachers
from mien.training.processes import sum_over_processes
from mien.training.targets import (
    distillation_loss,
    mirror_divergence,
    mix_up,
    share_votes,
    soft_targets,
)


class Trainable(pl.LightningModule):
    """A classifier in training.

    Args:
        classifier: classifier to train.
        recipe: recipe of the training.
        class_weights: class weights of the cross-entropy, or None. Shape: (classes,).
        teachers: frozen teacher ensemble, or None.
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
        self.augmentation = Augmentation(recipe.augment, classifier.task.crop)
        self.votes_head = _votes_head(classifier, recipe) if recipe.train.votes_weight else None
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.teachers = teachers
        self._tallies = {"train": _Tally(), "val": _Tally()}

    def on_fit_start(self) -> None:
        """Compile the forward pass of a step if the recipe says so."""
        if self.recipe.train.compile:
            self._read = torch.compile(self._read)  # type: ignore[method-assign]

    def load_votes_head(self, path: Path) -> None:
        """Load the votes' layer of a weights file if there is one that fits."""
        if self.votes_head is None:
            return
        with readable_name(path) as readable, safe_open(readable, framework="pt") as tensors:
            if not {*VOTES_HEAD} <= {*tensors.keys()}:
                return
            weight, bias = (tensors.get_tensor(name).float() for name in VOTES_HEAD)
        if weight.shape == self.votes_head.weight.shape:
            self.votes_head.load_state_dict({"weight": weight, "bias": bias})

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch, which is augmented here unless the teachers have read it."""
        train, distill = self.recipe.train, self.recipe.distill
        images, labels, votes = batch.images, batch.labels, share_votes(batch.votes)
        with torch.autocast(self.device.type, enabled=False):  # geometry needs full precision
            unit = to_unit(images)
            if batch.taught is None:
                unit = self.augmentation(unit)
        taught = batch.taught
        if self.teachers is not None and taught is None:
            taught = self.teachers.ask(channels_last(unit))

        targets, mixup = labels, self.recipe.augment.mixup if self.recipe.augment.enabled else 0.0
        share = votes_share(self.recipe)
        if share or mixup:
            targets = soft_targets(labels, batch.votes, share, self.classifier.task.labels)
        if mixup:
            # With mixup, teachers read the images before these are blended.
            blended = [targets, votes, *([] if taught is None else [taught])]
            unit, (targets, votes, *rest) = mix_up(unit, blended, mixup)
            taught = rest[0] if rest else None
        if train.mirror_consistency:
            unit = torch.cat([unit, unit.flip(3)])
            targets, votes = torch.cat([targets, targets]), torch.cat([votes, votes])
            taught = None if taught is None else torch.cat([taught, taught])

        logits, votes_logits = self._read(channels_last(unit))
        logits = logits.float()
        loss: Tensor = F.cross_entropy(
            logits, targets, weight=self.class_weights, label_smoothing=train.label_smoothing
        )
        self._tallies["train"].add(loss, logits[: len(labels)], labels)
        if taught is not None:
            far = distillation_loss(logits, taught, distill.temperature)
            loss = (1 - distill.weight) * loss + distill.weight * far
        if votes_logits is not None:
            # Source: Barsoum et al., 2016, "cross-entropy loss"; 0 for images without votes
            loss = loss + train.votes_weight * F.cross_entropy(votes_logits.float(), votes)
        if train.mirror_consistency:
            loss = loss + train.mirror_consistency * mirror_divergence(*logits.chunk(2))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Add up the cross-entropy and the hits of a batch, without augmentation."""
        images, labels = batch.images, batch.labels
        if not len(labels):  # a last batch of fewer images than processes
            return
        # In fp32 like the Bundle, or history and evaluation would differ.
        with torch.autocast(self.device.type, enabled=False):
            logits = self.classifier(channels_last(to_unit(images))).float()
        self._tallies["val"].add(F.cross_entropy(logits, labels), logits, labels)

    def on_train_epoch_start(self) -> None:
        """Reset the sums of the epoch."""
        self._tallies = {"train": _Tally(), "val": _Tally()}

    def on_validation_epoch_end(self) -> None:
        """Log train_loss, train_accuracy, val_loss and val_accuracy for the callbacks."""
        for split, tally in self._tallies.items():
            means = tally.means(sum_over_processes(tally.sums(self.device)))
            self.log_dict({f"{split}_{name}": value for name, value in means.items()})

    def running_means(self) -> dict[str, float]:
        """Return the loss and accuracy over this process's training batches of the epoch so far."""
        tally = self._tallies["train"]
        return {name: float(value) for name, value in tally.means(tally.sums(self.device)).items()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the recipe's optimizer, with weight decay on kernels only."""
        train = self.recipe.train
        parameters = list(self.parameters())  # the votes' layer among them
        # Biases and the scales of normalization are vectors, and decaying them only hurts
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

    def _read(self, unit: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the logits of the labels, and those of the votes if they are learned."""
        if self.votes_head is None:
            return self.classifier(unit), None
        network = self.classifier.network
        features = network.forward_features(self.classifier.normalize(unit))
        return network.head(features), self.votes_head(features)


class _Tally:
    """Sums over the batches of an epoch, kept on the device, since reading them waits for it."""

    def __init__(self) -> None:
        self.images = 0
        self.loss: Tensor | float = 0.0
        self.hits: Tensor | float = 0.0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.images += len(labels)
        self.loss = self.loss + loss.detach() * len(labels)
        self.hits = self.hits + (logits.argmax(1) == labels).sum()

    def sums(self, device: torch.device) -> Tensor:
        """Return the number of images, the sum of their losses and the hits. Shape: (3,)."""
        sums = (self.images, self.loss, self.hits)
        return torch.stack([torch.as_tensor(x, dtype=torch.float64, device=device) for x in sums])

    @staticmethod
    def means(sums: Tensor) -> dict[str, Tensor]:
        images, loss, hits = sums
        return {"loss": loss / images.clamp_min(1), "accuracy": hits / images.clamp_min(1)}


def votes_share(recipe: Recipe) -> float:
    """Return the share of the FER+ votes in the targets of a training."""
    return 1.0 if recipe.data.targets == "votes" else recipe.train.votes_in_target


def _votes_head(classifier: Classifier, recipe: Recipe) -> nn.Linear:
    """Build the layer from features to FER+ votes, which is trained together with the head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.train.seed)
        return nn.Linear(classifier.network.num_features, len(FERPLUS_VOTES))


def balanced_weights(dataset: FaceDataset) -> Tensor:
    """Return class weights that give every class the same total weight; 1 on average over images.

    As ``balanced`` in scikit-learn: images / (classes × images of the class), for the classes that
    occur.
    """
    counts = torch.tensor(list(dataset.class_counts().values()), dtype=torch.float32)
    present = int((counts > 0).sum())
    weights = len(dataset) / (present * counts.clamp_min(1))
    return weights.where(counts > 0, torch.zeros_like(weights))


def channels_last(unit: Tensor) -> Tensor:
    """Return images in channels-last memory layout, like the kernels."""
    return unit.contiguous(memory_format=torch.channels_last)


def use_channels_last(module: nn.Module) -> None:
    """Put kernels into channels-last memory layout, in which bf16 convolutions are fastest."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
