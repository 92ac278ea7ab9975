"""Augmentation: random changes to a whole batch of training images, as in a recipe's [augment].

Everything is computed on the device of the batch, for all of its images at once, and nothing waits
for a value from the device, so a GPU never has to wait. The images of a batch come in random order,
so its first ten images are a random choice: a change of some images is applied to a slice of the
batch, which needs no index.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.images.crop import DEFAULT_CROP, CropSpec, centre_crop
from mien.recipes.sections import AugmentSection

Change = Callable[[Tensor], Tensor]

_PADDING: Final = {"reflect": "reflection", "edge": "border", "zeros": "zeros"}
_ERASED_AREA: Final = (0.02, 0.25)  # share of the image; Zhong et al., 2020: up to 0.4
_ERASED_RATIO: Final = (0.3, 3.3)  # height to width, as in that paper
_ERASED_TO: Final = 0.5
_BLURS: Final = 32  # different strengths of blur
_LEAST_BLUR_PX: Final = 0.25
_BLOCK_PX: Final = 8  # of JPEG
_BEST_QUALITY: Final = 80  # of JPEG; better ones are hardly visible in small crops

# The luminance table of JPEG's standard (ITU-T T.81, 1992, table K.1), for quality 50.
_LUMINANCE: Final = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


class Augmentation(nn.Module):
    """Random geometry, light, corruption, erasing and a centre crop, in this order.

    Every image draws its own changes, and each kind of change can be off. Use it on training
    batches only. mixup is separate, since it also changes the targets (`mien.training.targets`).

    Args:
        augment: [augment] section of the recipe.
        crop: size and channels of the face crops.

    Shape: float (batch, channels, size_px, size_px) in [0, 1] -> the same, or cut to (batch,
        channels, crop_px, crop_px).
    """

    def __init__(self, augment: AugmentSection, crop: CropSpec = DEFAULT_CROP) -> None:
        super().__init__()
        self.changes: list[Change] = []
        if not augment.enabled:
            return
        geometry = (
            augment.rotation_degrees,
            augment.zoom,
            any(augment.crop_margin),
            augment.shift,
            augment.shear_degrees,
        )
        if any(geometry):
            self.changes.append(partial(move, augment=augment))
        elif augment.flip:
            self.changes.append(mirror_half)
        if augment.brightness or augment.contrast or augment.gamma:
            self.changes.append(partial(relight, augment=augment))
        self.corruption = Corruption(augment, crop.size_px) if augment.corruption else None
        if self.corruption is not None:
            self.changes.append(self.corruption)
        if augment.erasing:
            self.changes.append(partial(erase, probability=augment.erasing))
        if augment.crop_px:  # cuts off borders that rotation and shift filled in
            self.changes.append(partial(centre_crop, size_px=augment.crop_px))

    def __len__(self) -> int:
        return len(self.changes)

    def forward(self, unit: Tensor) -> Tensor:
        """Return the augmented images (see the class)."""
        for change in self.changes:
            unit = change(unit)
        return unit


def move(unit: Tensor, augment: AugmentSection) -> Tensor:
    """Rotate, scale, shear, shift and mirror each image, sampled once, bilinearly.

    Shape: (batch, channels, height, width) -> the same.
    """
    angle = _between(unit, -augment.rotation_degrees, augment.rotation_degrees) * (math.pi / 180)
    shear = (_between(unit, -augment.shear_degrees, augment.shear_degrees) * (math.pi / 180)).tan()
    # The grid maps each pixel of the result to its source: outwards for a wider crop, inwards for a
    # larger face.
    scale = (1 + _between(unit, *augment.crop_margin)) / _between(
        unit, 1 - augment.zoom, 1 + augment.zoom
    )
    across = scale * _signs(unit) if augment.flip else scale
    cos, sin = angle.cos(), angle.sin()
    shift = 2 * augment.shift  # a side is 2 long in the grid's coordinates
    right, down = (scale * _between(unit, -shift, shift) for _ in range(2))
    grid = torch.stack(
        [
            torch.stack([cos * across, (cos * shear - sin) * scale, right]),
            torch.stack([sin * across, (sin * shear + cos) * scale, down]),
        ]
    ).permute(2, 0, 1)  # (batch, 2, 3)
    return F.grid_sample(
        unit,
        F.affine_grid(grid, list(unit.shape), align_corners=False),
        padding_mode=_PADDING[augment.fill],
        align_corners=False,
    )


def mirror_half(unit: Tensor) -> Tensor:
    """Mirror each image with a probability of a half. Shape: (batch, channels, height, width)."""
    return torch.where(_signs(unit).reshape(-1, 1, 1, 1) > 0, unit, unit.flip(3))


def relight(unit: Tensor, augment: AugmentSection) -> Tensor:
    """Change the gamma, contrast and brightness of each image.

    Shape: (batch, channels, height, width) -> the same.
    """
    if augment.gamma:
        most = math.log1p(augment.gamma)
        unit = unit ** _each(_between(unit, -most, most).exp())
    contrast = _each(_between(unit, 1 - augment.contrast, 1 + augment.contrast))
    brightness = _each(_between(unit, 1 - augment.brightness, 1 + augment.brightness))
    mean = unit.mean((1, 2, 3), keepdim=True)
    # brightness * (mean + contrast * (unit - mean)), with one product and one sum per pixel
    factor = brightness * contrast
    return torch.addcmul(mean * (brightness - factor), unit, factor).clamp_(0, 1)


def erase(unit: Tensor, probability: float) -> Tensor:
    """Cover a gray rectangle in some of the images. Shape: (batch, channels, height, width).

    Source: Zhong et al., Random Erasing Data Augmentation, 2020; deviation: gray, not noise.
    """
    height, width = unit.shape[2:]
    area = _between(unit, *_ERASED_AREA) * (height * width)
    ratio = _between(unit, *map(math.log, _ERASED_RATIO)).exp()
    tall, wide = (area * ratio).sqrt().clamp_max(height), (area / ratio).sqrt().clamp_max(width)
    top = _between(unit, 0, 1) * (height - tall)
    left = _between(unit, 0, 1) * (width - wide)
    chosen = _between(unit, 0, 1) < probability
    rows = _within(top, tall, height) & chosen[:, None]
    columns = _within(left, wide, width)
    covered = rows[:, None, :, None] & columns[:, None, None, :]
    return unit.masked_fill(covered, _ERASED_TO)


class Corruption(nn.Module):
    """Blur, noise, JPEG or low resolution for a share of each batch.

    Each kind gets the same number of images, up to rounding. The choice of images is random,
    because the order of the batch is.

    Blur, low resolution and JPEG's cosine transform are linear in rows and in columns, so each is
    two products with a matrix as large as the image.

    Args:
        augment: [augment] section of the recipe.
        size_px: side of the images, in pixels.

    Shape: (batch, channels, size_px, size_px) in [0, 1] -> the same.
    Source: Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions
    and Perturbations, 2019; deviations: only the kinds that occur in small face crops, and JPEG
    quantizes each colour channel as it does luminance.
    """

    blurs: Tensor
    reductions: Tensor
    cosines: Tensor
    luminance: Tensor

    def __init__(self, augment: AugmentSection, size_px: int) -> None:
        super().__init__()
        self.augment = augment
        self.size_px = size_px
        self.kinds: list[Change] = []
        if augment.blur_px:
            strengths = torch.linspace(_LEAST_BLUR_PX, max(augment.blur_px, _LEAST_BLUR_PX), _BLURS)
            self._keep("blurs", torch.stack([_blur_matrix(float(px), size_px) for px in strengths]))
            self.kinds.append(self._blur)
        if augment.noise_levels:
            self.kinds.append(partial(add_noise, levels=augment.noise_levels))
        if augment.jpeg_quality:
            blocks = math.ceil(size_px / _BLOCK_PX)
            self._keep("cosines", torch.kron(torch.eye(blocks), _cosines()))
            luminance = torch.tensor(_LUMINANCE, dtype=torch.float32)
            self._keep("luminance", luminance.repeat(blocks, blocks))
            self.kinds.append(self._jpeg)
        if augment.low_resolution_px:
            smallest = augment.low_resolution_px
            sides = range(smallest, min(2 * smallest, size_px) + 1)
            self._keep(
                "reductions", torch.stack([_reduction_matrix(side, size_px) for side in sides])
            )
            self.kinds.append(self._reduce)

    def forward(self, unit: Tensor) -> Tensor:
        """Return the batch, its first images corrupted (see the class)."""
        each = self.augment.corruption * len(unit) / len(self.kinds)
        # Drawn on the CPU, so that sizes are known without waiting for the device. If the share is
        # below one image, every kind still gets its images over many batches.
        offset = float(torch.rand(()))
        ends = [math.floor(each * (kind + 1) + offset) for kind in range(len(self.kinds))]
        ends = [min(end, len(unit)) for end in ends]
        parts, start = [], 0
        for kind, end in zip(self.kinds, ends, strict=True):
            parts.append(kind(unit[start:end]) if end > start else unit[start:end])
            start = end
        return torch.cat([*parts, unit[start:]])

    def _blur(self, unit: Tensor) -> Tensor:
        return _transform(unit, _drawn(unit, self.blurs))

    def _reduce(self, unit: Tensor) -> Tensor:
        return _transform(unit, _drawn(unit, self.reductions))

    def _jpeg(self, unit: Tensor) -> Tensor:
        """Quantize the cosine transform of each block, as JPEG does for gray images."""
        quality = _each(_between(unit, self.augment.jpeg_quality, _BEST_QUALITY))
        # libjpeg's scale of the table: 5000 / quality below 50, 200 - 2 * quality from there on
        scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100
        steps = (self.luminance * scale).round_().clamp_(1, 255)
        beyond = len(self.cosines) - self.size_px  # JPEG fills its last blocks up
        levels = F.pad(unit, (0, beyond, 0, beyond), mode="replicate") if beyond else unit
        coefficients = _transform(levels * 255 - 128, self.cosines)
        kept = (coefficients / steps).round_() * steps
        decoded = ((_transform(kept, self.cosines.T) + 128) / 255).clamp_(0, 1)
        return decoded[..., : self.size_px, : self.size_px] if beyond else decoded

    def _keep(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)


def add_noise(unit: Tensor, levels: float) -> Tensor:
    """Add Gaussian noise with a std of up to `levels`. Shape: (batch, channels, height, width)."""
    std = _each(_between(unit, 0, levels / 255))
    return torch.addcmul(unit, torch.randn_like(unit), std).clamp_(0, 1)


def _transform(unit: Tensor, matrix: Tensor) -> Tensor:
    """Return ``matrix @ image @ matrix.T`` for each image."""
    return matrix @ unit @ matrix.transpose(-1, -2)


def _drawn(unit: Tensor, matrices: Tensor) -> Tensor:
    """Return one of the matrices for each image.

    Shape: (kinds, side, side) -> (batch, 1, side, side).
    """
    choice = torch.randint(len(matrices), (len(unit),), device=unit.device)
    return matrices[choice].unsqueeze(1)


def _blur_matrix(sigma_px: float, size_px: int) -> Tensor:
    """Return the matrix that blurs a column, its ends reflected. Shape: (size_px, size_px)."""
    radius = math.ceil(3 * sigma_px)
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets / sigma_px) ** 2)
    sources = (torch.arange(size_px)[:, None] + offsets).abs()
    period = 2 * (size_px - 1)  # wide blurs are reflected at both ends, several times
    sources = torch.minimum(sources % period, period - sources % period)
    matrix = torch.zeros(size_px, size_px)
    matrix.scatter_add_(1, sources, (weights / weights.sum()).expand(size_px, -1))
    return matrix


def _reduction_matrix(side_px: int, size_px: int) -> Tensor:
    """Return the matrix that reduces a column by areas and enlarges it again.

    Shape: (size_px, size_px).
    """
    columns = torch.eye(size_px).reshape(1, size_px, size_px)  # each channel is a unit vector
    reduced = F.adaptive_avg_pool1d(columns, side_px)
    return F.interpolate(reduced, size_px, mode="linear", align_corners=False)[0].T.contiguous()


def _cosines() -> Tensor:
    """Return the matrix of the orthonormal discrete cosine transform, type II. Shape: (8, 8)."""
    places = torch.arange(_BLOCK_PX, dtype=torch.float64)
    matrix = torch.cos(math.pi / _BLOCK_PX * (places + 0.5) * places[:, None])
    matrix *= math.sqrt(2 / _BLOCK_PX)
    matrix[0] /= math.sqrt(2)
    return matrix.float()


def _between(unit: Tensor, low: float, high: float) -> Tensor:
    """Return a number for each image, uniform from low to high. Shape: (batch,)."""
    return torch.rand(len(unit), device=unit.device) * (high - low) + low


def _signs(unit: Tensor) -> Tensor:
    """Return -1 or 1 for each image. Shape: (batch,)."""
    return torch.randint(2, (len(unit),), device=unit.device) * 2.0 - 1


def _each(values: Tensor) -> Tensor:
    """Return a value for each image as one for each of its pixels. Shape: (batch, 1, 1, 1)."""
    return values.reshape(-1, 1, 1, 1)


def _within(start: Tensor, length: Tensor, side: int) -> Tensor:
    """Return whether each pixel of a side is inside an interval. Shape: (batch,), (batch,)."""
    places = torch.arange(side, device=start.device) + 0.5
    return (places >= start[:, None]) & (places < (start + length)[:, None])
