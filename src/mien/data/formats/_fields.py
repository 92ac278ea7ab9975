"""Parse the fields of one row, whichever layout they are stored in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from mien.data.fer2013 import USAGES
from mien.data.split import split_of
from mien.errors import DataError
from mien.labels import BUILT_IN, LabelSet

# Names of columns, in lower case.
LABEL_COLUMNS: Final = ("emotion", "label", "expression", "class")
SPLIT_COLUMNS: Final = ("usage", "split", "subset")

# Drawn faces are marked by a column of this name in a CSV, by metadata of this name in Parquet, and
# by a file of this name in a folder.
DRAWN: Final = "drawn_by_mien"

SKIP_BAD_ROWS: Final = "--skip-bad leaves bad rows out and lists them"

_SHOWN: Final = 20  # characters of a wrong value that errors show
_LONGEST_NUMBER: Final = 6  # digits
_LONGEST_WORD: Final = 60  # characters; longer text names no class


class UnknownLabelError(DataError):
    """A file names a class that is none of the labels.

    Args:
        message: one line about the class and where it is.
        word: name or number of the class.
    """

    def __init__(self, message: str, word: str) -> None:
        super().__init__(message)
        self.word = word


def parse_label(text: str, labels: LabelSet) -> int:
    """Return the label of a class that a file gives by name or number.

    Raises:
        UnknownLabelError: if it is none of the labels; the message continues "row 17".
    """
    word = text.strip()[:_LONGEST_WORD]
    try:
        return labels.parse(word)
    except DataError as error:
        raise UnknownLabelError(f"has the {error}", word) from None


def parse_usage(text: str) -> str:
    """Return the split that a Usage names.

    Raises:
        DataError: if it names none; the message continues "row 17".
    """
    split = split_of(text)
    if split is None:
        raise DataError(f"has the Usage {text[:_SHOWN]!r}, expected {', '.join(USAGES.values())}")
    return split


def find_column(names: Sequence[str], wanted: Collection[str]) -> int | None:
    """Return the position of the first column with one of the wanted names; None if none has.

    Args:
        names: names of the columns, in lower case.
        wanted: names to look for, the preferred first.
    """
    return next((names.index(name) for name in wanted if name in names), None)


def other_columns(
    table: str, names: Sequence[str], read: Mapping[str, tuple[int | None, Collection[str]]]
) -> str:
    """Return a line about columns that could be read as well as those that are; empty if none.

    Args:
        table: name of the table.
        names: names of its columns, in lower case.
        read: position of the column of each value, such as ``labels``, and all names that the
            column may have.
    """
    lines = []
    for what, (position, wanted) in read.items():
        others = [name for at, name in enumerate(names) if name in wanted and at != position]
        if position is not None and others:
            shown = ", ".join(map(repr, others))
            lines.append(f"the {what} come from the column {names[position]!r}, not from {shown}")
    return f"{table}: {'; '.join(lines)}" if lines else ""


def is_number(word: str) -> bool:
    """Return whether a file gives a class by its number."""
    return word.isdecimal() and len(word) <= _LONGEST_NUMBER


def fitting_sets(words: Collection[str]) -> list[str]:
    """Return the built-in label sets that know every one of these classes.

    If classes are numbered, these have to be all numbers of the set.
    """
    numbers = {int(word) for word in words if is_number(word)}
    return [
        title
        for title, labels in BUILT_IN.items()
        if all(labels.find(word) is not None for word in words)
        and numbers in (set(), set(labels.numbering))
    ]
