"""The test-set log: each measurement of a run on a test split is a line in it.

A test split says how a network reads new faces for as long as nothing is chosen by it. How often it
was measured is what a reader needs to judge that.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mien.errors import RunError
from mien.evaluation.protocol import Protocol

FILE_NAME: Final = "test_log.csv"
_COLUMNS: Final = ("time", "data", "split_fingerprint", "images", "accuracy")


def log_measurement(folder: Path, protocol: Protocol, accuracy: float | None) -> None:
    """Append a measurement on a test split to a run directory's ``test_log.csv``.

    Args:
        folder: the run directory.
        protocol: protocol of the measurement.
        accuracy: measured accuracy.

    Raises:
        RunError: if it cannot be written.
    """
    path = folder / FILE_NAME
    time = datetime.now(UTC).isoformat(timespec="seconds")
    row = (time, protocol.data, protocol.split_fingerprint, protocol.images, accuracy)
    try:
        with _locked(path) as descriptor:
            size = os.fstat(descriptor).st_size
            # One write a measurement: a kill meanwhile leaves a whole line or none.
            os.write(descriptor, _as_csv(row if size else _COLUMNS, *([] if size else [row])))
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written ({error.strerror}); each measurement on a test split is "
            "logged, so the run's directory must be writable"
        ) from error


def count_measurements(folder: Path) -> int:
    """Return how often a run was measured on a split called test.

    Raises:
        RunError: if the log cannot be read.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return 0
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            lines = sum(1 for row in csv.reader(handle) if row)
            return max(0, lines - 1)  # the first is the heading
    except (OSError, ValueError, csv.Error) as error:
        raise RunError(f"{path}: damaged ({error}); copy it back from a backup") from None


def _as_csv(*rows: tuple[object, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Give a descriptor that appends to a file, once no other process has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
