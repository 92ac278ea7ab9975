"""Decode image files to pixels: 8-bit, upright, blue-green-red.

OpenCV decodes them, except for HEIC (pillow-heif) and for the GIF, AVIF and animated WebP files
that an older OpenCV cannot decode (PIL, if it is installed).
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.errors import DataError
from mien.images import bmp, tiff
from mien.images.header import header_size
from mien.images.heif import main_image
from mien.images.kinds import advice, identify
from mien.images.orientation import turn_upright, webp_orientation
from mien.images.repair import PNG_MAGIC, is_plain, repair_png
from mien.io.limits import PIXELS, image_bytes, read_file
from mien.types import Image

# The suffixes of images, in lower case: the one list for photos, folders, patterns and data sets.
IMAGE_SUFFIXES: Final = frozenset(
    {".apng", ".avif", ".avifs", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif", ".jif", ".jp2",
     ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)  # fmt: skip

_COMMON_MAGIC: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM")
_AS_STORED: Final = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_AVIF, _HEIC = "an AVIF", "a HEIC"
_NEWER: Final = {"a GIF": ".gif", _AVIF: ".avif"}  # decoded by OpenCV from 4.12 on
_SILENT: Final = 0  # OpenCV's LOG_LEVEL_SILENT
# OpenCV's module of the log level is cv2 up to 4.12, and one of cv2.utils from 4.13 on.
set_log_level: Final[Callable[[int], int]] = getattr(cv2, "setLogLevel", None) or attrgetter(
    "utils.logging.setLogLevel"
)(cv2)


class _QuietOpenCV:
    """Context manager that silences OpenCV's logger while any thread is inside.

    The level belongs to the whole process: the first thread in sets it, the last one out restores
    it. This costs about 1 µs, where decoding a small PNG takes 15 µs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._level = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._level = set_log_level(_SILENT)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                set_log_level(self._level)


quiet_opencv: Final = _QuietOpenCV()


def decode_image(content: bytes, name: str, *, max_pixels: int | None = None) -> Image:
    """Decode an image file and turn it upright by its orientation; an alpha channel is dropped.

    Args:
        content: content of the image file.
        name: name of the image in errors.
        max_pixels: largest number of pixels, which the header is asked for before anything is
            decoded; None for the limit that holds everywhere (`mien.io.limits.PIXELS`).

    Shape: -> uint8 (height, width, 3), blue-green-red.

    Raises:
        DataError: if the content cannot be decoded as an image, or the image is too large.
    """
    if reason := undecodable(content):
        raise DataError(f"{name}: {reason}")
    if max_pixels is None:
        max_pixels = PIXELS.value
    _check_size(content, name, max_pixels)
    if content.startswith(b"ftyp", 4):
        image = _decode_heif(content, name, max_pixels)
    elif content.startswith(b"WEBP", 8):  # OpenCV turns these from 4.13 on
        image = _decode(content, _AS_STORED)
        if image is None:
            image = _decode_by_pil(content, max_pixels)
        image = None if image is None else turn_upright(image, webp_orientation(content))
    elif content.startswith(tiff.TIFF_MAGIC):
        image = _decode(tiff.with_plain_colours(content))
    elif content.startswith(PNG_MAGIC):
        image = _decode_png(content)
    else:
        image = _decode(content) if _is_known(content) else None
        if image is None and content.startswith(b"GIF8"):
            image = _decode_by_pil(content, max_pixels)
    if image is None:
        raise DataError(f"{name}: {refusal(content)}")
    return image


def _check_size(content: bytes, name: str, max_pixels: int) -> None:
    """Raise a DataError for an image of too many pixels, or of an unknown number."""
    width, height = header_size(content)
    if width * height > max_pixels:
        raise DataError(
            f"{name}: {width:,}x{height:,} pixels, more than the limit of {max_pixels:,}; if the "
            f"image is meant to be that large, raise it with the environment variable "
            f"{PIXELS.variable}={width * height}"
        )
    if not width * height and identify(content).name != _HEIC:  # it would be decoded to any size
        raise DataError(f"{name}: {refusal(content)}")


def read_image(path: Path) -> Image:
    """Read and decode an image file (see `decode_image`)."""
    return decode_image(read_image_file(path), str(path))


def read_image_file(path: Path) -> bytes:
    """Return the content of an image file, of the size that an image of PIXELS may have.

    Raises:
        DataError: if it cannot be read, or is too large.
    """
    return read_file(path, max_bytes=image_bytes(PIXELS.value), limit=PIXELS)


def undecodable(content: bytes) -> str:
    """Return why an image cannot be decoded, or not rightly; an empty string if nothing is known.

    OpenCV decodes some of these to wrong pixels, or to the preview inside them.
    """
    reason = ""
    if content.startswith(b"BM"):
        reason = bmp.problem(content)
    elif content.startswith(tiff.TIFF_MAGIC):
        is_raw = identify(content).group == "picture"
        reason = identify(content).name if is_raw else tiff.problem(content)
    return f"{reason}: cannot be decoded as an image; save it as PNG or JPEG" if reason else ""


def _is_known(content: bytes) -> bool:
    """Return whether an image is of a kind that OpenCV decodes rightly: not one of floats."""
    return content.startswith(_COMMON_MAGIC) or identify(content).group == "photo"


def _decode(content: bytes, flags: int = cv2.IMREAD_COLOR) -> Image | None:
    """Return an image as OpenCV decodes it; None if it cannot."""
    # OpenCV refuses WebP files under 32 bytes, such as an all-black face; it ignores the padding.
    padded = np.frombuffer(content.ljust(64, b"\0"), np.uint8)
    try:
        with quiet_opencv:
            image = cv2.imdecode(padded, flags)
    except cv2.error:  # the header promises more pixels than OpenCV's limit
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _decode_heif(content: bytes, name: str, max_pixels: int) -> Image | None:
    """Return an AVIF or a HEIC image, turned upright; None if it cannot be decoded."""
    kind = identify(content).name
    if kind == _HEIC:
        return _decode_heic(content, name)
    if kind != _AVIF:
        return None
    image = _decode(content, _AS_STORED)
    if image is None:
        image = _decode_by_pil(content, max_pixels)
    if image is None:
        return None
    for orientation in main_image(content).turns:
        image = turn_upright(image, orientation)
    return image


def _decode_heic(content: bytes, name: str) -> Image | None:
    """Return a HEIC image, which pillow-heif turns upright; None if it is damaged."""
    try:
        import pillow_heif
    except ImportError:
        raise DataError(
            f"{name}: a HEIC, which needs pillow-heif: pip install 'mien[heic]'"
        ) from None
    if 0 in header_size(content):
        return None
    try:
        heic = pillow_heif.open_heif(io.BytesIO(content), bgr_mode=True)
        pixels = np.asarray(heic)
    except Exception:  # libheif raises errors of many types
        return None
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels[..., :3])


def _decode_png(content: bytes) -> Image | None:
    """Return a PNG as OpenCV decodes it, without chunks that it does not need; None if damaged."""
    if is_plain(content):
        return _decode(content)
    repaired, is_whole = repair_png(content)
    return _decode(repaired) if is_whole else None


def _decode_by_pil(content: bytes, max_pixels: int) -> Image | None:
    """Return an image as PIL decodes it, not turned; None if it cannot, or is not installed.

    PIL enlarges a GIF to frames that are larger than its header says.
    """
    try:
        import PIL.Image
    except ImportError:
        return None
    try:
        with warnings.catch_warnings():  # about sizes, which the caller has checked
            warnings.simplefilter("ignore")
            with PIL.Image.open(io.BytesIO(content)) as picture:
                if picture.width * picture.height > max_pixels:
                    return None
                pixels = np.asarray(picture.convert("RGBA"), np.uint8)
    except Exception:  # PIL's decoders raise errors of every type
        return None
    return np.ascontiguousarray(pixels[..., 2::-1])


def refusal(content: bytes) -> str:
    """Return why an image was not decoded, and what to do."""
    if not content:
        return "the file is empty, expected an image"
    kind = identify(content)
    suffix = _NEWER.get(kind.name)
    if suffix and not cv2.haveImageWriter(suffix):
        return (
            f"{kind.name}, which this version of OpenCV cannot decode; update OpenCV to 4.12 or "
            "later, or install pillow"
        )
    if kind.group == "photo":
        return (
            f"{kind.name} that cannot be decoded as an image (is it damaged or cut off?); copy or "
            "download it again"
        )
    if kind.name:
        return f"{kind.name} cannot be decoded as an image; {advice(kind)}"
    return (
        "cannot be decoded as an image, expected PNG, JPEG, WebP, BMP, TIFF, GIF or AVIF (is the "
        "file damaged, or of another format than its name says?)"
    )
