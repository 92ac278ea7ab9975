"""YuNet's file: where it is found, and how it is fetched, once, when somebody first needs it.

It is 233 kB and MIT-licensed, and not in the package: its checksum is, so that whoever keeps it
anywhere is known to keep the right one.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from mien.errors import MienError
from mien.io.download import download, reason_of
from mien.io.files import atomic_file, cache_dir, expand_user, write_text

FILE_NAME: Final = "face_detection_yunet_2023mar.onnx"
SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
URL: Final = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/"
    f"face_detection_yunet/{FILE_NAME}"
)
BY_HAND: Final = f"put {FILE_NAME} into {{folder}}, or name it by --detector-model PATH"

_MOST_BYTES: Final = 4 << 20
_SILENCE_S: Final = 5.0
_PATIENCE_S: Final = 60.0
_AGAIN_AFTER_S: Final = 24 * 3600.0  # a machine without a network is asked once a day


def cached_path() -> Path:
    """Return where the file is kept: ``MIEN_CACHE``, else the user's cache."""
    return cache_dir() / "models" / FILE_NAME


def find_yunet(path: str | Path | None = None) -> Path | None:
    """Return YuNet's file where it is there already.

    Args:
        path: of a file that the user names; None for the cache's.

    Raises:
        MienError: if the file that the user names is missing, or is not YuNet's.
    """
    if path is None:
        kept = cached_path()
        return kept if kept.is_file() and _digest(kept) == SHA256 else None
    named = expand_user(path)
    if not named.is_file():
        raise MienError(f"{path}: no such file, expected YuNet's {FILE_NAME}")
    if (digest := _digest(named)) != SHA256:
        raise MienError(
            f"{path}: not YuNet's {FILE_NAME}: its SHA-256 is {digest[:16]}…, expected "
            f"{SHA256[:16]}…; fetch it again: mien fetch"
        )
    return named


def fetch_yunet(url: str | None = None) -> Path:
    """Fetch YuNet's file into the cache, unless it is there, check it, and return its path.

    Args:
        url: of a copy elsewhere; None for its publisher's.

    Raises:
        MienError: if it cannot be fetched, or something else came; nothing is kept then.
    """
    if (kept := find_yunet()) is not None:
        return kept
    path, url = cached_path(), url or URL
    by_hand = BY_HAND.format(folder=path.parent)
    with atomic_file(path) as temporary:
        try:
            download(
                url,
                temporary,
                most_bytes=_MOST_BYTES,
                silence_s=_SILENCE_S,
                patience_s=_PATIENCE_S,
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise MienError(
                f"{url}: YuNet cannot be fetched ({reason_of(error)}); {by_hand}"
            ) from None
        if _digest(temporary) != SHA256:
            raise MienError(
                f"{url}: sent something else than {FILE_NAME}, by its SHA-256; {by_hand}"
            )
    _unreachable().unlink(missing_ok=True)
    return path


def fetch_yunet_once() -> Path | None:
    """Fetch YuNet's file if nobody tried in vain since yesterday; None where it cannot be had.

    ``MIEN_OFFLINE`` set to anything keeps it from trying.
    """
    mark = _unreachable()
    tried = mark.is_file() and 0 <= time.time() - mark.stat().st_mtime < _AGAIN_AFTER_S
    if tried or os.environ.get("MIEN_OFFLINE"):
        return None
    try:
        return fetch_yunet()
    except MienError as error:
        with suppress(MienError):  # a cache that cannot be written to: it is tried again next time
            write_text(mark, f"{error}\n")
        return None


def _unreachable() -> Path:
    return cached_path().with_suffix(".unreachable")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
