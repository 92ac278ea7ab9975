"""Random changes to a whole batch of training images at once, as a recipe's [augment] describes."""

from __future__ import annotations

from typing import Final

import kornia.augmentation as K
from torch import Tensor, nn

from mien.data.pixels import SIZE_PX
from mien.recipes.sections import AugmentSection

_PADDING: Final = {"reflect": "reflection", "edge": "border", "zeros": "zeros"}
_ERASED_AREA: Final = (0.02, 0.25)  # of the image; Zhong et al., Random Erasing, 2020, up to 0.4


def build_augmentation(augment: AugmentSection) -> nn.Sequential:
    """Build the changes, each image of a batch drawing its own; empty where all are off.

    Shape: float (batch, 1, 48, 48) in [0, 1] -> the same, or cut to (batch, 1, crop_px, crop_px);
    call it on training batches only.
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
    if augment.crop_px < SIZE_PX:
        changes.append(_Middle(augment.crop_px))
    return nn.Sequential(*changes)


class _Middle(nn.Module):
    """Cuts out the middle, where a turned and shifted image has no made-up border."""

    def __init__(self, size_px: int) -> None:
        super().__init__()
        start = (SIZE_PX - size_px) // 2
        self.kept = slice(start, start + size_px)

    def forward(self, unit: Tensor) -> Tensor:
        return unit[:, :, self.kept, self.kept]
