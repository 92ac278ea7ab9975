"""Embeddings of images for the search for near duplicates: unchanged, moved and mirrored.

Taking an image's difference of Gaussians, moving it and projecting it on principal directions are
all linear, so one matrix product embeds an image in all its variants.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mien.data.duplicates.alignment import SIDE_PX, Float32s, difference_of_gaussians, rescale
from mien.images.crop import is_blank
from mien.types import Images

# Thumbnails tolerate small shifts; larger ones, and scales, are tried one by one.
_THUMBNAIL_PX: Final = SIDE_PX // 2
_PIXELS: Final = _THUMBNAIL_PX**2
_BLURS: Final = (1.0, 2.5)
_SHIFTS: Final = tuple((down, right) for down in (0, -1, 1) for right in (0, -1, 1))
_ZOOMS: Final = (0.92, 1.08)
VARIANTS: Final = 2 * (len(_SHIFTS) + len(_ZOOMS))  # the second half mirrored

DIMENSIONS: Final = 64
_SAMPLE: Final = 4096  # images that the principal directions are computed from
# The first directions hold what all faces have in common, so they count less, by a power of their
# variance. The floor keeps the noise of nearly equal images from being amplified, and leaves small
# sets unweighted, whose directions show single images instead.
_WHITENING: Final = 0.25
_MIN_VARIANCE: Final = 0.01  # relative to the first direction's
_MIN_IMAGES: Final = 100


class Embedding:
    """Map from images to unit vectors, the products of which measure similarity.

    Args:
        images: images that the principal directions are computed from.

    Shape: images uint8 (N, SIDE_PX, SIDE_PX).
    """

    def __init__(self, images: Images) -> None:
        moves = _moves()
        variances, directions = _principal_directions(images, moves)
        floor = max(_MIN_VARIANCE, _MIN_IMAGES / len(images))
        relative = variances / max(variances[0], np.finfo(np.float32).tiny)
        weights = np.clip(relative, floor, None) ** -_WHITENING
        self._maps = moves @ np.asarray(directions * weights, np.float32)

    def embed(self, images: Images) -> Float32s:
        """Return the vectors of images; zero for blank images, which are similar to no other.

        Shape: uint8 (n, SIDE_PX, SIDE_PX) -> (n, DIMENSIONS).
        """
        return _normalize(_thumbnails(images) @ self._maps[0])

    def embed_variants(self, images: Images) -> Float32s:
        """Return the vectors of images unchanged and moved, then mirrored and moved.

        Shape: uint8 (n, SIDE_PX, SIDE_PX) -> (n, VARIANTS, DIMENSIONS).
        """
        maps = self._maps.transpose(1, 0, 2).reshape(_PIXELS, VARIANTS * DIMENSIONS)
        return _normalize((_thumbnails(images) @ maps).reshape(-1, VARIANTS, DIMENSIONS))


def _thumbnails(images: Images) -> Float32s:
    """Return images at half their size, less their mean; zero for blank images."""
    pixels = images.astype(np.float32)
    halved = pixels[:, ::2] + pixels[:, 1::2]
    small = (halved[:, :, ::2] + halved[:, :, 1::2]).reshape(len(images), _PIXELS) / 4
    small -= small.mean(1, keepdims=True)
    small[is_blank(images)] = 0
    return np.asarray(small, np.float32)


def _moves() -> Float32s:
    """Return the matrix from thumbnails to centred differences of Gaussians, a variant each.

    Shape: -> (VARIANTS, _PIXELS, _PIXELS), the unchanged variant first.
    """
    size = _THUMBNAIL_PX
    pixels = np.eye(_PIXELS, dtype=np.float32).reshape(-1, size, size)
    filtered = np.stack([difference_of_gaussians(pixel, _BLURS) for pixel in pixels])
    padded = np.pad(filtered, ((0, 0), (1, 1), (1, 1)), mode="edge")
    moved = [
        padded[:, 1 - down : 1 - down + size, 1 - right : 1 - right + size]
        for down, right in _SHIFTS
    ]
    moved += [np.stack([rescale(image, zoom) for image in filtered]) for zoom in _ZOOMS]
    upright = np.stack(moved).reshape(-1, size, size, _PIXELS)
    both = np.concatenate([upright, upright[:, :, ::-1]])  # mirrored: columns of pixels reversed
    moves = both.reshape(VARIANTS, _PIXELS, _PIXELS)
    return np.asarray(moves - moves.mean(2, keepdims=True), np.float32)


def _principal_directions(images: Images, moves: Float32s) -> tuple[Float32s, Float32s]:
    """Return the variances, largest first, and directions of a sample in all its variants.

    Shape: images (N, SIDE_PX, SIDE_PX) -> (DIMENSIONS,), (_PIXELS, DIMENSIONS).
    """
    sample = _thumbnails(images[:: max(1, -(-len(images) // _SAMPLE))])
    lengths = np.linalg.norm(sample @ moves[0], axis=1, keepdims=True)
    sample /= np.maximum(lengths, 1e-6)
    inner = sample.T @ sample
    scatter = sum((move.T @ inner @ move for move in moves), np.zeros_like(inner))
    variances, directions = np.linalg.eigh(scatter.astype(np.float64))
    largest = slice(None, -DIMENSIONS - 1, -1)
    return np.asarray(variances[largest], np.float32), np.asarray(
        directions[:, largest], np.float32
    )


def _normalize(vectors: Float32s) -> Float32s:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)
