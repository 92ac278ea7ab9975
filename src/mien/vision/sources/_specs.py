"""Tell numbers, addresses, data URIs and paths apart, and check the file that a path names."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import numpy as np

from mien.errors import MienError, SourceError
from mien.io.files import WINDOWS, expand_user

_SHOWN_CHARACTERS: Final = 200  # of a longer name only both ends are shown
_FILE_ADDRESS: Final = re.compile(r"file://(?:localhost)?(?=/)", re.IGNORECASE)


def is_number(spec: object) -> bool:
    """Return whether a spec is the number of a camera, as an integer or as text."""
    if isinstance(spec, str):
        return spec.isascii() and spec.isdecimal() and len(spec) < 10
    return isinstance(spec, int | np.integer) and not isinstance(spec, bool)


def is_address(spec: object) -> bool:
    """Return whether a spec is an address of any scheme."""
    return isinstance(spec, str) and re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", spec) is not None


def is_data(spec: object) -> bool:
    """Return whether a spec is a data URI, which holds the content of a file as text."""
    return isinstance(spec, str) and spec[:5].lower() == "data:" and not os.path.lexists(spec)


def is_path(spec: object) -> bool:
    """Return whether a spec is a path; as text, neither a number, an address nor a data URI.

    The address of a local file (``file:///photos/a.jpg``) is a path.
    """
    if isinstance(spec, str):
        return bool(_FILE_ADDRESS.match(spec)) or not (
            is_number(spec) or is_address(spec) or is_data(spec)
        )
    return isinstance(spec, os.PathLike)


def name_of(spec: object) -> str:
    """Return the text of a path or an address, as it is shown and given to frames."""
    return os.fsdecode(spec) if isinstance(spec, os.PathLike) else str(spec)


def suffix_of(spec: object) -> str:
    """Return the suffix of a path or an address, in lower case; empty for other specs."""
    if not isinstance(spec, str | os.PathLike) or is_data(spec):
        return ""
    text = os.fsdecode(spec)
    return Path(text if is_path(spec) else re.split("[?#]", text)[0]).suffix.lower()


def as_path(spec: Any) -> Path:
    """Return a spec that `is_path` accepts as a Path, with ``~`` expanded.

    Raises:
        SourceError: if the path is empty or blank, or there is no such user.
    """
    text = os.fsdecode(spec)
    if not text.strip() and not (text and os.path.lexists(text)):
        raise SourceError(
            f"the path {text!r} is empty, expected a photo, a video or a folder (is a variable "
            "unset?)"
        )
    if found := _FILE_ADDRESS.match(text):
        local = unquote(text[found.end() :])
        has_drive = WINDOWS and re.match(r"/[a-zA-Z]:", local)  # file:///C:/photos/a.jpg
        return Path(local[1:] if has_drive else local)
    try:
        return expand_user(text)
    except MienError as error:
        raise SourceError(str(error)) from None


def existing_file(spec: object) -> tuple[Path, int]:
    """Return the path of the file that a spec names, and its size in bytes.

    Raises:
        SourceError: if there is no such file, or it is empty or not a regular file.
    """
    path, name = as_path(spec), name_of(spec)
    if len(name) > _SHOWN_CHARACTERS:
        name = f"{name[:80]}…{name[-80:]}"
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise SourceError(
                f"{name}: a symbolic link to {path.readlink()}, which does not exist"
            ) from None
        raise SourceError(f"{name}: no such file, expected a photo, a video or a folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{name}: cannot be read ({reason})") from None
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{name}: a folder, expected a photo or a video")
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{name}: not a file, expected a photo or a video")
    if status.st_size == 0:
        raise SourceError(f"{name}: the file is empty, expected a photo or a video")
    return path, status.st_size
