"""Find YuNet's file, or download it when the user asks for it.

The file has 233 kB and is MIT-licensed. The package does not contain it, only its checksum, so that
a copy from anywhere is recognized.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from mien.errors import MienError
from mien.io.files import cache_dir, expand_user

FILE_NAME: Final = "face_detection_yunet_2023mar.onnx"
SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
URL: Final = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/"
    f"face_detection_yunet/{FILE_NAME}"
)

_MAX_BYTES: Final = 4 << 20
_IDLE_TIMEOUT_S: Final = 5.0
_TOTAL_TIMEOUT_S: Final = 60.0


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
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:  # a wrong file may be larger than the memory
        return hashlib.file_digest(file, "sha256").hexdigest()
