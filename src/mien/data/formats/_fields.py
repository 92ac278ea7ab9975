"""Parse the fields of one row, whichever layout they are stored in."""

from __future__ import annotations

from typing import Final

from mien.data.fer2013 import USAGES
from mien.data.split import split_of
from mien.errors import DataError
from mien.labels import parse_emotion

_SHOWN: Final = 20  # characters of a wrong value that errors show
_LONGEST_WORD: Final = 40  # characters; longer text names no emotion


def parse_label(text: str) -> int:
    """Return the label of an emotion's name or number.

    Raises:
        DataError: if it is neither; the message continues "row 17".
    """
    try:
        return parse_emotion(text[:_LONGEST_WORD])
    except DataError as error:
        raise DataError(f"has the {error}") from None


def parse_usage(text: str) -> str:
    """Return the split that a Usage names.

    Raises:
        DataError: if it names none; the message continues "row 17".
    """
    split = split_of(text)
    if split is None:
        raise DataError(f"has the Usage {text[:_SHOWN]!r}, expected {', '.join(USAGES.values())}")
    return split
