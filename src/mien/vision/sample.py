"""The photo that comes with mien, to try it on: two portraits in the public domain."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def sample_photo() -> Path:
    """Return the path of the photo that comes with mien: two portraits in the public domain.

    Its people and its licence are named in ``README.md`` beside it.
    """
    return Path(str(files("mien") / "samples" / "portraits.jpg"))
