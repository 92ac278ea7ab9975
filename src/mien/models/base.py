"""The contract of network families: their base class, and a wrapper for other modules."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from mien.errors import RecipeError
from mien.images.crop import SIZE_PX
from mien.labels import NUM_CLASSES
from mien.recipes.families import FAMILIES
from mien.recipes.sections import ModelSection

_TOLERANCE = 1e-5


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


class CustomNetwork(Network):
    """Any module that ends in an ``nn.Linear``, as a Network.

    Its last ``nn.Linear`` is the head, and Grad-CAM explains its last convolution.

    Args:
        module: module from images to logits.

    Raises:
        RecipeError: if the module has no convolution, or does not end in the linear layer that
            gives the logits.
    """

    section = ModelSection

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        linear = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
        convolutions = [
            name for name, part in module.named_modules() if isinstance(part, nn.Conv2d)
        ]
        if not linear or not convolutions:
            raise RecipeError(
                f"network {type(module).__name__}: expected convolutions (nn.Conv2d), and an "
                "nn.Linear that gives the logits as its last layer"
            )
        last = module.get_submodule(linear[-1])
        assert isinstance(last, nn.Linear)
        self.features = copy.deepcopy(module)
        self.features.set_submodule(linear[-1], nn.Identity())
        self.head = nn.Sequential(last)
        self.num_features = last.in_features
        self._cam_layer = convolutions[-1]
        _expect_same(module, self)

    @property
    def cam_layer(self) -> nn.Module:
        """The last convolution."""
        return self.features.get_submodule(self._cam_layer)


def register_callable(build: Callable[[ModelSection], nn.Module]) -> str:
    """Register a function that builds a network as a family, and return the family's name.

    The family lasts as long as this process. A run that is resumed or exported in another one
    needs the function again.

    Args:
        build: function that builds a module from the recipe's [model] section.

    Raises:
        MienError: if a family of that name exists.
    """

    class Built(CustomNetwork):
        def __init__(self, section: ModelSection) -> None:
            super().__init__(build(section))

    name = build.__name__
    if name not in FAMILIES or getattr(FAMILIES[name], "build", None) is not build:
        Built.build = build  # type: ignore[attr-defined]
        FAMILIES.add(name, Built)
    return name


def _expect_same(module: nn.Module, network: CustomNetwork) -> None:
    """Raise a RecipeError unless a network computes the same as the module that it wraps."""
    modes = [(part, part.training) for part in (*module.modules(), *network.modules())]
    try:
        with torch.no_grad():
            channels = next(m for m in module.modules() if isinstance(m, nn.Conv2d)).in_channels
            images = torch.linspace(0, 1, 2 * channels * SIZE_PX**2)
            images = images.reshape(2, channels, SIZE_PX, SIZE_PX)
            expected, ours = module.eval()(images), network.eval()(images)
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:100]
        raise RecipeError(
            f"network {type(module).__name__}: cannot read images of 48x48 pixels ({reason})"
        ) from None
    finally:
        for part, training in modes:
            part.training = training
    if expected.shape != (2, NUM_CLASSES) or not torch.allclose(expected, ours, atol=_TOLERANCE):
        raise RecipeError(
            f"network {type(module).__name__}: expected an nn.Linear with {NUM_CLASSES} outputs as "
            "its last layer, with nothing (no softmax) after it"
        )
