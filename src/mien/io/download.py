"""One file from a web server, with limits, and what went wrong in words."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

SILENCE_S: Final = 30.0
PATIENCE_S: Final = 300.0
_CHUNK_BYTES: Final = 1 << 16


def download(
    url: str,
    path: Path,
    *,
    most_bytes: int,
    silence_s: float = SILENCE_S,
    patience_s: float = PATIENCE_S,
) -> None:
    """Write what ``url`` answers to ``path``.

    Args:
        url: of http or https.
        path: of the file to write.
        most_bytes: an answer that is longer is refused.
        silence_s: how long the server may say nothing.
        patience_s: how long all of it may take.

    Raises:
        OSError: as urllib does, and for an answer that is too long or breaks off.
        http.client.HTTPException: for what is no answer of a web server.
        ValueError: if ``url`` is none.
    """
    if not url.lower().startswith(("https://", "http://")):
        raise ValueError("expected an address that begins with https:// or http://")
    deadline = time.monotonic() + patience_s
    count = 0
    with urllib.request.urlopen(url, timeout=silence_s) as answer, path.open("wb") as handle:
        while block := answer.read1(_CHUNK_BYTES):  # read() would wait for whole blocks
            count += len(block)
            if count > most_bytes:
                raise OSError(f"it has more than {most_bytes >> 20} MB")
            if time.monotonic() > deadline:
                raise OSError(f"it took more than {patience_s:g} s")
            handle.write(block)
        promised = answer.headers.get("Content-Length", "")
    if promised.isdecimal() and int(promised) != count:
        raise OSError(f"it broke off after {count:,} of {int(promised):,} bytes")


def reason_of(error: Exception) -> str:
    """Return why a download failed, in words."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"the server says {error.code} {error.reason}"
    return root_cause(error)


def root_cause(error: BaseException) -> str:
    """Return the first line of what an error comes from."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".: ")[:100]
