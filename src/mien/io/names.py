"""Names of files: those that have to be valid on every system, and those that are not text."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator

# Excludes characters that a file name may not have on some system, and path separators.
_PATTERN: Final = re.compile(r'\w[^/\\:*?"<>|\x00-\x1f]*')

# Names of devices on Windows, with or without a suffix (Microsoft, Naming Files, Paths, and
# Namespaces), where a name also cannot end in a full stop or a space.
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)

_MOST_BYTES: Final = 200  # of the 255 that file systems take; suffixes follow

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _refuse_other(name: str) -> str:
    if (
        not _PATTERN.fullmatch(name)
        or len(os.fsencode(name)) > _MOST_BYTES
        or _DEVICE.fullmatch(name)
        or name[-1] in ". "
    ):
        raise ValueError(
            "expected a valid file name: a letter, a digit or _ first, no / or \\ and none of "
            f': * ? " < > |, no . or space at its end, no name of a device such as con, at most '
            f"{_MOST_BYTES} bytes"
        )
    return name


def is_text(path: Path | str) -> bool:
    """Return whether a path or a text is valid UTF-8; some libraries take no other path."""
    return _SURROGATE.search(str(path)) is None


@contextmanager
def readable_name(path: Path) -> Iterator[Path]:
    """Yield a path to a file that is valid text: its own, or that of a temporary link to it."""
    if is_text(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "link")
        try:
            link.symlink_to(path.absolute())
        except (OSError, NotImplementedError):  # Windows allows links to few
            shutil.copyfile(path, link)
        yield link


def escape_undecodable(text: str) -> str:
    """Return text for people, with an escape for each byte of a file's name that is not UTF-8.

    Python keeps such bytes as surrogates, with which a text is no valid UTF-8.
    """
    return text.encode(errors="backslashreplace").decode()


Name = Annotated[str, AfterValidator(_refuse_other)]
