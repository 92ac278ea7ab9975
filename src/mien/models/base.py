"""The contract of network families: the base class of their networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from torch import Tensor, nn

from mien.errors import RecipeError
from mien.images.crop import DEFAULT_CROP, MAX_SIZE_PX, MIN_SIZE_PX, CropSpec
from mien.labels import FER2013, LabelSet
from mien.recipes.sections import ModelSection


@dataclass(frozen=True)
class Task:
    """What a network is built for: the classes to tell apart, and the face crops to read.

    Args:
        labels: classes, one for each logit.
        crop: size and channels of the face crops.
    """

    labels: LabelSet = FER2013
    crop: CropSpec = DEFAULT_CROP

    @property
    def num_classes(self) -> int:
        """The number of classes, and of logits."""
        return len(self.labels)

    @property
    def size_px(self) -> int:
        """The side of the face crops, in pixels."""
        return self.crop.size_px

    @property
    def channels(self) -> int:
        """The number of channels of the face crops: 1 for gray, 3 for colour."""
        return self.crop.channels


DEFAULT_TASK: Final = Task()


class Network(nn.Module, ABC):
    """A network of one family, built from the recipe's [model] section.

    A family is one module that holds its section and its Network:

        @FAMILIES.register("my_family")  # the name of the module
        class MyNetwork(Network):
            section = MySection

            def __init__(self, section: MySection, task: Task) -> None:
                super().__init__(task)

    Args:
        task: classes and crops that the network is built for.

    Attributes:
        section: class of the recipe's [model] section for this family.
        weights_layout: name of the published layout of weights that the backbone can start from;
            empty if there is none.
        features: the backbone, layers from normalized images to features, which a two-phase
            training freezes first.
        num_features: number of features that `forward_features` returns for each image.
        head: layers from features to logits; the last one is an ``nn.Linear``.
        input_px: side of the centre square that the network reads, in pixels; by default all of
            the crop.
        sizes_px: smallest and largest side of crops that the family takes.

    Shape: images (batch, channels, size_px, size_px) -> logits (batch, classes); 3 channels, red,
        green and blue, for crops in colour and with normalization ``imagenet``, else 1.
    """

    section: ClassVar[type[ModelSection]]
    weights_layout: ClassVar[str] = ""
    sizes_px: ClassVar[tuple[int, int]] = (MIN_SIZE_PX, MAX_SIZE_PX)

    features: nn.Module
    num_features: int
    head: nn.Sequential
    input_px: int

    def __init__(self, task: Task = DEFAULT_TASK) -> None:
        super().__init__()
        self.task = task
        self.input_px = task.size_px

    @classmethod
    def check(cls, section: ModelSection, task: Task) -> None:
        """Raise a RecipeError if the family cannot take the crops of a task.

        Args:
            section: [model] section of the recipe.
            task: classes and crops that the network is to be built for.
        """
        least, most = cls.sizes_px
        if not least <= task.size_px <= most:
            raise RecipeError(
                f"data.size_px = {task.size_px}: the network family {section.family} takes crops "
                f"of {least} to {most} px; choose such a size, or another model.family"
            )

    @property
    @abstractmethod
    def cam_layer(self) -> nn.Module:
        """The layer whose rectified map Grad-CAM explains: 5x5 cells or more."""

    @property
    def backbone(self) -> nn.Module:
        """The layers below the head."""
        return self.features

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the features of normalized images.

        Shape: (batch, channels, size_px, size_px) -> (batch, num_features).
        """
        features: Tensor = self.features(images)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (see the class)."""
        logits: Tensor = self.head(self.forward_features(images))
        return logits

    @classmethod
    def published_weights(cls, name: str) -> Path | None:  # noqa: ARG003 - for those that override
        """Return the file of published weights by their name; None if there are none of that name.

        Raises:
            RecipeError: if they cannot be downloaded.
        """
        return None

    @classmethod
    def published_names(cls) -> tuple[str, ...]:
        """Return the names that `published_weights` knows."""
        return ()
