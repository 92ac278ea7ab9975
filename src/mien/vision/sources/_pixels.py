"""Pictures that are pixels already: arrays and PIL images."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np

from mien.errors import SourceError, first_line
from mien.images.orientation import ORIENTATION_TAG, UPRIGHT, turn_upright
from mien.types import Array, Image
from mien.vision.sources.base import Limits

_MAX_LEVEL: Final = 0xFF
_MAX_DEEP_LEVEL: Final = 0xFFFF
_EXPECTED: Final = "expected uint8 (height, width, 3), blue-green-red, or gray (height, width)"


def is_pil(spec: object) -> bool:
    """Return whether a spec is a PIL image, or an object like it."""
    return isinstance(getattr(spec, "mode", None), str) and hasattr(spec, "convert")


def is_tensor(spec: object) -> bool:
    """Return whether a spec can become an array but is none, as a tensor of another library."""
    return hasattr(spec, "__array__") and not isinstance(spec, np.ndarray | np.generic | type)


def check_array(array: Array) -> Image:
    """Check that an array is a picture, and return it without its alpha channel.

    Raises:
        SourceError: if the array is not a picture.

    Shape: uint8 (height, width), (height, width, 1), (height, width, 3) or (height, width, 4) ->
        (height, width) or (height, width, 3).
    """
    is_colour = array.ndim == 3 and array.shape[2] in (1, 3, 4)
    if array.dtype != np.uint8 or not (is_colour or array.ndim == 2) or array.size == 0:
        raise wrong_array(array)
    if array.ndim == 3 and array.shape[2] != 3:
        array = array[..., 0] if array.shape[2] == 1 else array[..., :3]
    return np.ascontiguousarray(array)


def wrong_array(array: Array) -> SourceError:
    """Return the error for an array that is not a picture, with what to do about it."""
    hint = _hint(array)
    return SourceError(
        f"the picture is {array.dtype} {array.shape}, {_EXPECTED}{f'; {hint}' if hint else ''}"
    )


def wrong_tensor(tensor: object) -> SourceError:
    """Return the error for an array or a tensor of another library."""
    kind = f"{type(tensor).__module__.partition('.')[0]}.{type(tensor).__name__}"
    return SourceError(
        f"the picture is a {kind}, expected a NumPy array, uint8 (height, width, 3), "
        "blue-green-red; for values of 0 to 1, channels first and red-green-blue, as PyTorch has "
        "them, give (tensor.permute(1, 2, 0).cpu().numpy()[..., ::-1] * 255).round()"
        ".astype('uint8')"
    )


def _hint(array: Array) -> str:
    if array.size == 0:
        return "it is empty"
    if array.dtype == bool:
        return "for a mask of True and False give array.astype('uint8') * 255"
    if np.issubdtype(array.dtype, np.floating):
        if array.max() <= 1 and array.min() >= 0:
            return "for values of 0 to 1, as in scikit-image, give (array * 255).astype('uint8')"
        return "for values of 0 to 255 give array.round().clip(0, 255).astype('uint8')"
    if array.dtype == np.uint16:
        return "for levels of 16 bits give (array >> 8).astype('uint8')"
    if np.issubdtype(array.dtype, np.integer) and array.dtype != np.uint8:
        return "for levels of 0 to 255 give array.clip(0, 255).astype('uint8')"
    if array.ndim == 3 and array.shape[0] in (1, 3, 4):
        return "with the channels first, give array.transpose(1, 2, 0)"
    if array.ndim == 4:
        return f"for {len(array)} pictures give list(array)"
    return ""


def from_pil(picture: Any, name: str, limits: Limits) -> Image:
    """Return the pixels of a PIL image, turned upright by its EXIF orientation.

    An alpha channel is dropped. Levels of 32 bits (mode ``I``) are 0 to 255 if no pixel is
    brighter, else 0 to 65,535; those of mode ``F`` are 0 to 1 if no pixel is brighter, else 0 to
    255.

    Raises:
        SourceError: if PIL cannot decode the image, it is too large, or its levels are out of
            range.

    Shape: -> uint8 (height, width, 3), blue-green-red, or gray (height, width) for 16 and 32 bits.
    """
    width, height = picture.size
    limits.check_pixels(name, width * height)
    if width * height == 0:
        raise SourceError(f"{name}: a PIL image of {width}x{height} pixels, expected a picture")
    try:
        pixels = _pil_pixels(picture)
    except _LevelError as error:
        raise SourceError(f"{name}: {error}") from None
    except Exception as error:  # PIL's decoders raise errors of every type
        raise SourceError(
            f"{name}: PIL cannot decode it ({first_line(error)}); is the file complete?"
        ) from None
    return turn_upright(pixels, _pil_orientation(picture))


class _LevelError(Exception):
    """The levels of a PIL image are not those of a picture."""


def _pil_pixels(picture: Any) -> Image:
    """Return pixels as they are stored, without an alpha channel."""
    mode = picture.mode
    if mode.startswith("I"):
        return _from_integers(np.asarray(picture), mode)
    if mode == "F":
        return _from_floats(np.asarray(picture))
    if mode == "LAB":
        return _from_lab(picture)
    # By way of RGBA: from palettes with transparency and multiplied colours PIL converts no other.
    has_alpha = "A" in mode or "a" in mode or mode == "P"
    converted = picture.convert("RGBA") if has_alpha else picture.convert("RGB")
    return np.asarray(converted, np.uint8)[..., 2::-1]


def _from_integers(levels: Array, mode: str) -> Image:
    """Return levels of 16 bits, or of 32 bits that hold 8 or 16, as 8 bits."""
    least, most = levels.min(), levels.max()
    if least < 0 or most > _MAX_DEEP_LEVEL:
        raise _LevelError(
            f"a PIL image of mode {mode} with levels from {least:,} to {most:,}, expected 0 to 255 "
            "or 0 to 65,535; scale them first"
        )
    is_deep = mode != "I" or most > _MAX_LEVEL
    return (levels >> 8 if is_deep else levels).astype(np.uint8)


def _from_floats(levels: Array) -> Image:
    """Return levels of 0 to 1, or of 0 to 255, as 8 bits."""
    least, most = levels.min(), levels.max()
    if not (least >= 0 and most <= _MAX_LEVEL):  # NaN is in no range
        raise _LevelError(
            f"a PIL image of mode F with levels from {least:g} to {most:g}, expected 0 to 1 or 0 "
            "to 255; scale them first"
        )
    scaled = np.rint(levels * (_MAX_LEVEL if most <= 1 else 1))
    return np.asarray(scaled, np.uint8)


def _from_lab(picture: Any) -> Image:
    """Return a picture in CIELAB with D50 white, as PIL has it, as blue-green-red."""
    from PIL import ImageCms

    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
    return np.asarray(ImageCms.applyTransform(picture, transform), np.uint8)[..., ::-1]


def _pil_orientation(picture: Any) -> int:
    """Return the EXIF orientation of a PIL image; upright if its EXIF data cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that do not matter here
            return int(picture.getexif().get(ORIENTATION_TAG, UPRIGHT))
    except (
        Exception
    ):  # PIL's parsers raise errors of every type; an object like PIL's may have none
        return UPRIGHT
