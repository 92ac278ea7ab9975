"""Names that become names of files and folders: of recipes, of sweeps and of Bundles."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

# What no file may be called on one system or another, and what would lead to another folder.
_PATTERN: Final = re.compile(r'\w[^/\\:*?"<>|\x00-\x1f]*')


def _refuse_other(name: str) -> str:
    if not _PATTERN.fullmatch(name):
        raise ValueError(
            "expected a name that a file can have: a letter, a digit or _ first, no / or \\ and "
            'none of : * ? " < > |'
        )
    return name


Name = Annotated[str, AfterValidator(_refuse_other)]
