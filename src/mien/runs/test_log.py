"""The test-set log: one row for each measurement of a run on a test split.

A test split estimates how a network reads new faces only as long as nothing is chosen by it. The
number of measurements on it lets a reader judge that.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from mien.bundle.scores import Protocol
from mien.errors import RunError
from mien.io.files import locked_file
from mien.io.text import csv_cell
from mien.runs.record import now

FILE_NAME: Final = "test_log.csv"
_LOCK_NAME: Final = ".test_log.lock"
_LOCK_TIMEOUT_S: Final = 60.0
_COLUMNS: Final = ("time", "data", "split_fingerprint", "images", "accuracy")


def log_measurement(folder: Path, protocol: Protocol, accuracy: float | None) -> None:
    """Append a measurement on a test split to the ``test_log.csv`` of a run directory.

    Args:
        folder: path of the run directory.
        protocol: protocol of the measurement.
        accuracy: measured accuracy.

    Raises:
        RunError: if the log cannot be written.
    """
    path = folder / FILE_NAME
    _refuse_link(path)
    row = (now(), csv_cell(protocol.data), protocol.split_fingerprint, protocol.images, accuracy)
    try:
        with (
            locked_file(folder / _LOCK_NAME, timeout_s=_LOCK_TIMEOUT_S),
            # names of data sets may not be UTF-8
            path.open("a", encoding="utf-8", errors="backslashreplace", newline="") as log,
        ):
            rows = csv.writer(log, lineterminator="\n")
            # Both reach the disk in one write, so that a killed process leaves no part of a row.
            rows.writerows([row] if log.tell() else [_COLUMNS, row])
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written ({error.strerror or error}); each measurement on a test "
            "split is logged, so the run directory must be writable"
        ) from error


def count_measurements(folder: Path) -> int:
    """Return the number of measurements of a run on test splits.

    Args:
        folder: path of the run directory.

    Raises:
        RunError: if the log cannot be read.
    """
    path = folder / FILE_NAME
    _refuse_link(path)
    if not path.is_file():
        return 0
    try:
        with path.open(encoding="utf-8", newline="") as log:
            rows = sum(1 for row in csv.reader(log) if row)
    except (OSError, ValueError, csv.Error) as error:
        raise RunError(f"{path}: damaged ({error}); copy it back from a backup") from None
    return max(0, rows - 1)  # without the heading


def _refuse_link(path: Path) -> None:
    """Raise a RunError for a link, through which a run from elsewhere would change another file."""
    if path.is_symlink():
        raise RunError(
            f"{path}: is a link, expected a file of the run's own; put the file in its place"
        )
