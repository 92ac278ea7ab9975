"""Names that have to be valid file names: those of recipes, sweeps and Bundles."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

# Excludes characters that a file name may not have on some system, and path separators.
_PATTERN: Final = re.compile(r'\w[^/\\:*?"<>|\x00-\x1f]*')


def _refuse_other(name: str) -> str:
    if not _PATTERN.fullmatch(name):
        raise ValueError(
            "expected a valid file name: a letter, a digit or _ first, no / or \\ and none of "
            ': * ? " < > |'
        )
    return name


Name = Annotated[str, AfterValidator(_refuse_other)]
