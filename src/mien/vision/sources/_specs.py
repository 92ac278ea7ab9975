"""Recognize the kind of a spec (number, address or path), and check the file that it names."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import MienError, SourceError
from mien.io.files import expand_user


def is_number(spec: object) -> bool:
    """Return whether a spec is the number of a camera, as an integer or as text."""
    if isinstance(spec, str):
        return spec.isascii() and spec.isdecimal() and len(spec) < 10
    return isinstance(spec, int | np.integer) and not isinstance(spec, bool)


def is_address(spec: object) -> bool:
    """Return whether a spec is an address of any scheme."""
    return isinstance(spec, str) and re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", spec) is not None


def is_path(spec: object) -> bool:
    """Return whether a spec is a path, which is neither a number nor an address as text."""
    if isinstance(spec, str):
        return not is_number(spec) and not is_address(spec)
    return isinstance(spec, os.PathLike)


def suffix_of(spec: object) -> str:
    """Return the suffix of a path or an address, in lower case; empty for other specs."""
    if not isinstance(spec, str | os.PathLike):
        return ""
    text = os.fsdecode(spec)
    return Path(re.split("[?#]", text)[0] if is_address(spec) else text).suffix.lower()


def as_path(spec: Any) -> Path:
    """Return a spec that `is_path` accepts as a Path, with ``~`` expanded.

    Raises:
        SourceError: if there is no such user.
    """
    try:
        return expand_user(os.fspath(spec))
    except MienError as error:
        raise SourceError(str(error)) from None


def existing_file(spec: object) -> tuple[Path, int]:
    """Return the path of the file that a spec names, and its size in bytes.

    Raises:
        SourceError: if there is no such file, or it is empty or not a regular file.
    """
    path, name = as_path(spec), str(spec)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"{name}: no such file, expected a photo, a video or a folder") from None
    except (OSError, ValueError) as error:
        short = name if len(name) < 200 else f"{name[:80]}…{name[-80:]}"
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{short}: cannot be read ({reason})") from None
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{name}: not a file, expected a photo or a video")
    if status.st_size == 0:
        raise SourceError(f"{name}: the file is empty, expected a photo or a video")
    return path, status.st_size
