"""Limits on what files from elsewhere may cost: pixels, bytes, lines, rows and seconds.

A small file can ask for much: a PNG of 109 kB holds 900 million pixels. Each limit has a default
that ordinary files stay below, and an environment variable that raises it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mien.errors import DataError, MienError


@dataclass(frozen=True)
class Limit:
    """One limit.

    Args:
        variable: environment variable that sets it.
        default: largest amount if the variable is not set.
        unit: name of the counted things, in the plural.
    """

    variable: str
    default: int
    unit: str

    @property
    def value(self) -> int:
        """The largest amount.

        Raises:
            MienError: if the environment variable sets no number.
        """
        text = os.environ.get(self.variable) or str(self.default)
        if not (text.isascii() and text.isdecimal() and len(text) <= 15):
            raise MienError(f"{self.variable}={text[:40]}: expected a number of {self.unit}")
        return int(text)

    def exceeded(self) -> str:
        """Return the text of an error: more than the limit, and how to raise it."""
        return (
            f"more than {self.value:,} {self.unit}; raise the limit with the environment variable "
            f"{self.variable}"
        )

    def check(self, amount: float, where: object, error: type[MienError] = DataError) -> None:
        """Raise an error if an amount is above the limit.

        Args:
            amount: amount that a file asks for.
            where: file or row, with which the message begins.
            error: class of the error.
        """
        if amount > self.value:
            raise error(f"{where}: {self.exceeded()}")


PIXELS: Final = Limit("MIEN_MAX_PIXELS", 100_000_000, "pixels")  # of one picture
# Of a table that is decompressed, or a file that is read as a whole.
CONTENT_MB: Final = Limit("MIEN_MAX_MB", 1024, "MB")
VIDEO_MB: Final = Limit("MIEN_MAX_VIDEO_MB", 4096, "MB")  # stored in a temporary file
LINE_KB: Final = Limit("MIEN_MAX_LINE_KB", 1024, "kB in a line")  # 224x224 pixels take 200
ROWS: Final = Limit("MIEN_MAX_ROWS", 2_000_000, "rows or images")  # of one data set
BAD_ROWS: Final = Limit("MIEN_MAX_BAD_ROWS", 100_000, "rows or images that cannot be used")
RECIPE_KB: Final = Limit("MIEN_MAX_RECIPE_KB", 256, "kB in a recipe or sweep")
SECONDS: Final = Limit("MIEN_MAX_SECONDS", 300, "seconds")  # of one download


def image_bytes(pixels: int) -> int:
    """Return the largest size of an image file of so many pixels: four channels of 16 bits."""
    return 8 * pixels + (1 << 20)


def read_file(path: Path, *, max_bytes: int, limit: Limit = CONTENT_MB) -> bytes:
    """Return the content of a file of limited size.

    Args:
        path: path of the file.
        max_bytes: largest size, in bytes.
        limit: limit that `max_bytes` follows from, for the error.

    Raises:
        DataError: if it cannot be read, is not a regular file, or is too large.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise DataError(f"{path}: not a file (a pipe or a device), which cannot be read whole")
        if status.st_size > max_bytes:
            raise DataError(
                f"{path}: a file of {status.st_size >> 20:,} MB, too large for {limit.value:,} "
                f"{limit.unit}; raise the limit with the environment variable {limit.variable}"
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason})") from error
