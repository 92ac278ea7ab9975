"""Find YuNet's file, or download it when it is first needed.

The file has 233 kB and is MIT-licensed. The package does not contain it, only its checksum, so that
a copy from anywhere is recognized.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from mien.errors import MienError
from mien.io.files import cache_dir, expand_user, write_text

FILE_NAME: Final = "face_detection_yunet_2023mar.onnx"
SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
URL: Final = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/"
    f"face_detection_yunet/{FILE_NAME}"
)

_MAX_BYTES: Final = 4 << 20
_IDLE_TIMEOUT_S: Final = 5.0
_TOTAL_TIMEOUT_S: Final = 60.0
_RETRY_AFTER_S: Final = 24 * 3600.0  # a machine without a network tries once a day


def cached_path() -> Path:
    """Return the path of the file in mien's cache."""
    return cache_dir() / "models" / FILE_NAME


def by_hand() -> str:
    """Return how the user can provide the file without a download by mien."""
    return f"put {FILE_NAME} into {cached_path().parent}, or name it with --detector-model PATH"


def find_yunet(path: str | Path | None = None) -> Path | None:
    """Return the path of YuNet's file; None if it is not in the cache.

    Args:
        path: path of a copy that the user names; None for the file in the cache.

    Raises:
        MienError: if the user's copy is missing, or is not YuNet's file.
    """
    if path is None:
        kept = cached_path()
        with suppress(OSError):  # it may not be read
            return kept if kept.is_file() and _digest(kept) == SHA256 else None
        return None
    named = expand_user(path)
    try:
        if not named.is_file():
            raise MienError(f"{named}: no such file, expected YuNet's {FILE_NAME}")
        digest = _digest(named)
    except OSError as error:  # a name that is too long, a file that may not be read
        raise MienError(f"{named}: cannot be read ({error.strerror})") from error
    if digest != SHA256:
        raise MienError(
            f"{named}: not YuNet's {FILE_NAME}: its SHA-256 is {digest[:16]}…, expected "
            f"{SHA256[:16]}…; download it again: mien fetch"
        )
    return named


def fetch_yunet(url: str | None = None) -> Path:
    """Download YuNet's file into the cache, unless it is there, and return its path.

    Args:
        url: address of a copy; None for the address of its publisher.

    Raises:
        MienError: if the download fails or is not YuNet's file; nothing is kept then.
    """
    if (cached := find_yunet()) is not None:
        return cached
    # Imported now: HTTP and SSL take 20 ms, which is wasted if the file exists.
    from mien.io.download import downloaded

    path, url = cached_path(), url or URL

    def failed(reason: str) -> MienError:
        return MienError(f"{url}: YuNet cannot be downloaded ({reason}); {by_hand()}")

    limits = {"idle_timeout_s": _IDLE_TIMEOUT_S, "total_timeout_s": _TOTAL_TIMEOUT_S}
    with downloaded(url, path, max_bytes=_MAX_BYTES, failed=failed, **limits) as temporary:
        if _digest(temporary) != SHA256:
            raise MienError(f"{url}: sent another file than {FILE_NAME}, by SHA-256; {by_hand()}")
    _failure_mark().unlink(missing_ok=True)
    return path


def fetch_yunet_once() -> Path | None:
    """Return the path of YuNet's file, downloaded now; None if it is out of reach.

    Nothing is tried for a day after a failure, nor if ``MIEN_OFFLINE`` is set.
    """
    mark = _failure_mark()
    has_failed = mark.is_file() and 0 <= time.time() - mark.stat().st_mtime < _RETRY_AFTER_S
    if has_failed or os.environ.get("MIEN_OFFLINE"):
        return None
    try:
        return fetch_yunet()
    except MienError as error:
        with suppress(MienError):  # a read-only cache: the next call tries once more
            write_text(mark, f"{error}\n")
        return None


def _failure_mark() -> Path:
    """Return the path of the file whose age tells when a download last failed."""
    return cached_path().with_suffix(".unreachable")


def _digest(path: Path) -> str:
    with path.open("rb") as file:  # a wrong file may be larger than the memory
        return hashlib.file_digest(file, "sha256").hexdigest()
