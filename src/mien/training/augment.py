"""Random changes to a whole batch of training images at once, as a recipe's [augment] describes."""

from __future__ import annotations

from typing import Final

import kornia.augmentation as K
from torch import nn

from mien.recipes.sections import AugmentSection

_PADDING: Final = {"reflect": "reflection", "edge": "border", "zeros": "zeros"}
_ERASED_AREA: Final = (0.02, 0.25)  # of the image; Zhong et al., Random Erasing, 2020, up to 0.4


def build_augmentation(augment: AugmentSection) -> nn.Sequential:
    """Build the changes, each image of a batch drawing its own; empty where all are off.

    Shape: float (batch, 1, 48, 48) in [0, 1] -> the same; call it on training batches only.
    """
    changes: list[nn.Module] = []
    if not augment.enabled:
        return nn.Sequential()
    if augment.rotation_degrees or augment.zoom or augment.shift or augment.shear_degrees:
        changes.append(
            K.RandomAffine(
                degrees=augment.rotation_degrees,
                translate=(augment.shift, augment.shift),
                scale=(1 - augment.zoom, 1 + augment.zoom),
                shear=augment.shear_degrees or None,
                padding_mode=_PADDING[augment.fill],
                p=1.0,
            )
        )
    if augment.flip:
        changes.append(K.RandomHorizontalFlip(p=0.5))
    if augment.brightness or augment.contrast:
        changes.append(
            K.ColorJitter(brightness=augment.brightness, contrast=augment.contrast, p=1.0)
        )
    if augment.erasing:
        changes.append(K.RandomErasing(scale=_ERASED_AREA, value=0.5, p=augment.erasing))
    return nn.Sequential(*changes)
