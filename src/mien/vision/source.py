"""The former place of `mien.vision.sources`, kept for code that was written for mien 0.1."""

from __future__ import annotations

import warnings

from mien.vision.sources import Frame, Source, open_picture, open_source

__all__ = ["Frame", "Source", "open_picture", "open_source"]

warnings.warn(
    "mien.vision.source is now mien.vision.sources; change the import",
    DeprecationWarning,
    stacklevel=2,
)
