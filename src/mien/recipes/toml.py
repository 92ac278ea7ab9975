"""Read TOML that may come from elsewhere, with limits on its size, its depth and its values."""

from __future__ import annotations

import datetime
import stat
import tomllib
from pathlib import Path
from typing import Any, Final

from mien.errors import first_line
from mien.io.limits import RECIPE_KB
from mien.io.nesting import MOST_LEVELS, each_value

# Python's parser takes quadratic time for the parts of a key, which are on one line.
_MOST_DOTS: Final = 256
_LARGEST: Final = 2**63  # TOML's integers have 64 bits


def read_toml_file(path: Path, *, errors: str = "strict") -> dict[str, Any]:
    """Return the content of a TOML file.

    Args:
        path: path of the file.
        errors: handling of bytes that are not UTF-8, as for `open`.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is not valid TOML, or exceeds a limit; the message is one line.
    """
    most = RECIPE_KB.value * 1024
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("not a file")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(RECIPE_KB.exceeded())
    return parse_toml(content.decode(errors=errors).replace("\r\n", "\n"))


def parse_toml(text: str) -> dict[str, Any]:
    """Return the values in TOML: numbers, texts, truth values, lists and tables, but no dates.

    Raises:
        ValueError: if it is not valid TOML, or exceeds a limit; the message is one line.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if (dots := line.count(".")) > _MOST_DOTS:
            raise ValueError(f"line {number:,} has {dots:,} dots, expected at most {_MOST_DOTS}")
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"is nested deeper than {MOST_LEVELS} levels") from None
    except ValueError as error:
        raise ValueError(first_line(error, most=200)) from None
    _check(values)
    return values


def _check(values: dict[str, Any]) -> None:
    """Raise a ValueError for values that no setting takes."""
    for value in each_value(values):
        if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            shown = str(value)[:40] if abs(value) < 10**100 else "a number of many digits"
            raise ValueError(f"{shown}: expected an integer of 64 bits")
        if isinstance(value, datetime.date | datetime.time):
            raise ValueError(f"{value}: a date or a time, which no setting takes; quote a text")
