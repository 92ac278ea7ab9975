"""The contract of network families: the base class of their networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from mien.images.crop import SIZE_PX
from mien.recipes.sections import ModelSection


class Network(nn.Module, ABC):
    """A network of one family, built from the recipe's [model] section.

    A family is one module that holds its section and its Network:

        @FAMILIES.register("my_family")  # the name of the module
        class MyNetwork(Network):
            section = MySection

    Attributes:
        section: class of the recipe's [model] section for this family.
        weights_layout: name of the published layout of weights that the backbone can start from;
            empty if there is none.
        features: the backbone, layers from normalized images to features, which a two-phase
            training freezes first.
        num_features: number of features that `forward_features` returns for each image.
        head: layers from features to logits; the last one is an ``nn.Linear``.
        input_px: side of the centre crop that the network reads, in pixels.

    Shape: images (batch, 1, 48, 48), or 3 channels of RGB -> logits (batch, 7).
    """

    section: ClassVar[type[ModelSection]]
    weights_layout: ClassVar[str] = ""

    features: nn.Module
    num_features: int
    head: nn.Sequential
    input_px: int = SIZE_PX

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

        Shape: (batch, 1, 48, 48), or 3 channels of RGB -> (batch, num_features).
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
