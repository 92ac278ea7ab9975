"""Custom networks: any module that a user's function builds, as a family for this process."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from mien.errors import RecipeError, first_line
from mien.models.base import Network, Task
from mien.models.layers import input_channels
from mien.recipes.families import FAMILIES
from mien.recipes.sections import ModelSection

BuildNetwork = Callable[[ModelSection, Task], nn.Module]

_TOLERANCE: Final = 1e-5


class CustomNetwork(Network):
    """Any module that ends in an ``nn.Linear``, as a Network.

    Its last ``nn.Linear`` is the head, and Grad-CAM explains its last convolution.

    Args:
        module: module from normalized images to logits.
        task: classes and crops that the module is built for.
        channels: number of channels of the normalized images: 1, or 3 for RGB.

    Raises:
        RecipeError: if the module cannot read such images, has no convolution, or does not end in
            the linear layer that gives the logits.
    """

    section = ModelSection

    def __init__(self, module: nn.Module, task: Task, channels: int) -> None:
        super().__init__(task)
        images = torch.linspace(0, 1, 2 * channels * task.size_px**2)
        images = images.reshape(2, channels, task.size_px, task.size_px)
        expected = _logits(module, images)  # first, since lazy layers have no shapes before it
        head, convolution = _last(module, nn.Linear), _last(module, nn.Conv2d)
        last = module.get_submodule(head)
        assert isinstance(last, nn.Linear)
        if last.bias is None:
            raise RecipeError(
                f"network {_name(module)}: its last nn.Linear has no bias, which the calibration "
                "needs; leave out bias=False"
            )
        self.features = copy.deepcopy(module)
        self.features.set_submodule(head, nn.Identity())
        self.head = nn.Sequential(last)
        self.num_features = last.in_features
        self._cam_layer = convolution
        ours = _logits(self, images)
        fits = expected.shape == (2, task.num_classes)
        if not fits or not torch.allclose(expected, ours, atol=_TOLERANCE):
            raise RecipeError(
                f"network {_name(module)}: expected an nn.Linear with {task.num_classes} outputs, "
                "one for each class, as its last layer, with nothing (no softmax) after it"
            )

    @property
    def cam_layer(self) -> nn.Module:
        """The last convolution."""
        return self.features.get_submodule(self._cam_layer)


def register_callable(build: BuildNetwork) -> str:
    """Register a function that builds a network as a family, and return the family's name.

    The family lasts as long as this process, or until another function of the same name takes its
    place. A run that is resumed or exported in another process needs the function again.

    Args:
        build: function that builds a module from the recipe's [model] section and the `Task`.

    Raises:
        MienError: if the name is that of a built-in family, or of a plugin's.
    """

    class Built(CustomNetwork):
        def __init__(self, section: ModelSection, task: Task) -> None:
            try:
                inspect.signature(build).bind(section, task)
            except TypeError:
                raise RecipeError(
                    f"network {name}: cannot be called with two arguments, the [model] section and "
                    "the task, which has num_classes, size_px and channels"
                ) from None
            module = build(section, task)
            if not isinstance(module, nn.Module):
                raise RecipeError(
                    f"network {name}: returned {type(module).__name__}, expected an nn.Module"
                )
            super().__init__(module, task, input_channels(section, task))

    name: str = getattr(build, "__name__", type(build).__name__)
    replaces = name in FAMILIES and issubclass(FAMILIES[name], CustomNetwork)
    FAMILIES.add(name, Built, replace=replaces)
    return name


def _logits(module: nn.Module, images: Tensor) -> Tensor:
    """Return the logits in evaluation mode; the modes of all parts are restored."""
    modes = [(part, part.training) for part in module.modules()]
    try:
        with torch.no_grad():
            logits: Tensor = module.eval()(images)
    except (RuntimeError, ValueError, TypeError) as error:
        reason = first_line(error)
        raise RecipeError(
            f"network {_name(module)}: cannot read images of "
            f"{'x'.join(map(str, images.shape[1:]))} ({reason}); in colour and with "
            "model.normalization=imagenet they have 3 channels, otherwise 1"
        ) from None
    finally:
        for part, training in modes:
            part.training = training
    return logits


def _last(module: nn.Module, kind: type[nn.Module]) -> str:
    """Return the name of the last part of a kind."""
    names: list[str] = [name for name, part in module.named_modules() if isinstance(part, kind)]
    if not names or not names[-1]:
        raise RecipeError(
            f"network {_name(module)}: expected convolutions (nn.Conv2d), and an nn.Linear that "
            "gives the logits as its last layer"
        )
    return names[-1]


def _name(module: nn.Module) -> str:
    return type(module).__name__
