"""Downloads over HTTP, limited in size and time."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mien.errors import MienError, first_line
from mien.io.files import atomic_file
from mien.io.limits import SECONDS
from mien.version import VERSION

IDLE_TIMEOUT_S: Final = 30.0
# Some servers refuse the name that Python gives itself.
USER_AGENT: Final = f"Mozilla/5.0 (compatible; mien/{VERSION})"
_CHUNK_BYTES: Final = 1 << 16


class DownloadError(Exception):
    """A download failed; its message is the reason, in words."""


@contextmanager
def downloaded(
    url: str,
    path: Path,
    *,
    max_bytes: int,
    failed: Callable[[str], MienError],
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    total_timeout_s: float | None = None,
) -> Iterator[Path]:
    """Download a file and yield its temporary path; the file gets its name when the block ends.

    The block checks what was downloaded: if it raises an error, no file is left.

    Args:
        url: address that begins with http:// or https://.
        path: path of the file.
        max_bytes: largest accepted size, in bytes.
        failed: function that returns the error for a reason in words.
        idle_timeout_s: longest pause of the server, in seconds.
        total_timeout_s: longest duration of the whole download, in seconds; None for
            ``MIEN_MAX_SECONDS`` (300).

    Raises:
        MienError: if the download fails; the error that `failed` returns.
    """
    with atomic_file(path) as temporary:
        try:
            download(
                url,
                temporary,
                max_bytes=max_bytes,
                idle_timeout_s=idle_timeout_s,
                total_timeout_s=total_timeout_s,
            )
        except DownloadError as error:
            raise failed(str(error)) from None
        yield temporary


def download(
    url: str,
    path: Path,
    *,
    max_bytes: int,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    total_timeout_s: float | None = None,
) -> None:
    """Download `url` to `path`.

    Args:
        url: address that begins with http:// or https://.
        path: path of the file to write.
        max_bytes: largest accepted size, in bytes.
        idle_timeout_s: longest pause of the server, in seconds.
        total_timeout_s: longest duration of the whole download, in seconds; None for
            ``MIEN_MAX_SECONDS`` (300).

    Raises:
        DownloadError: if `url` is not such an address, the server cannot be reached or does not
            speak HTTP, the file cannot be written, or the download is too large, takes too long or
            breaks off.
    """
    if not url.lower().startswith(("https://", "http://")):
        raise DownloadError("expected an address that begins with https:// or http://")
    most_s = SECONDS.value if total_timeout_s is None else total_timeout_s
    deadline = time.monotonic() + most_s
    count = 0
    try:
        request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})
        with (
            urllib.request.urlopen(request, timeout=idle_timeout_s) as answer,
            path.open("wb") as handle,
        ):
            for block in read_blocks(answer, max_bytes=max_bytes, deadline=deadline):
                count += handle.write(block)
            promised = answer.headers.get("Content-Length", "")
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(f"the server says {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, TimeoutError) and time.monotonic() > deadline:
            more = f"; raise the limit with {SECONDS.variable}" if total_timeout_s is None else ""
            raise DownloadError(f"it took more than {most_s:g} s{more}") from None
        raise DownloadError(root_cause(error)) from None
    if promised.isdecimal() and int(promised) != count:
        raise DownloadError(f"it broke off after {count:,} of {int(promised):,} bytes")


def read_blocks(
    answer: http.client.HTTPResponse, *, max_bytes: int, deadline: float
) -> Iterator[bytes]:
    """Yield the body of an answer block by block, as it arrives.

    Args:
        answer: opened answer of a web server.
        max_bytes: largest accepted size, in bytes.
        deadline: time by `time.monotonic` at which reading ends.

    Raises:
        OSError: if the body is larger.
        TimeoutError: at the deadline, or after the idle timeout of the connection.
    """
    count = 0
    while block := answer.read1(_CHUNK_BYTES):  # read() would wait for whole blocks
        count += len(block)
        if count > max_bytes:
            raise OSError(f"it has more than {max_bytes >> 20} MB")
        if time.monotonic() > deadline:
            raise TimeoutError
        yield block


def root_cause(error: BaseException) -> str:
    """Return the first line of the message of an error's root cause."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return first_line(error).rstrip(".: ")
