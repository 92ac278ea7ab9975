"""The journal of a review: a line of JSON for each event, on the disk before it is told.

A process that is killed leaves all lines but possibly the last one whole.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mien.data import FaceDataset
from mien.errors import DataError, MienError
from mien.io.files import locked_file
from mien.io.limits import CONTENT_MB, read_file

_FORMAT: Final = 1
_SUFFIX: Final = ".journal"


def journal_path(manifest: Path) -> Path:
    """Return the path of the journal that belongs to a manifest."""
    return manifest.with_name(manifest.name + _SUFFIX)


class Journal:
    """An open journal, which nobody else can write to (`open_journal`).

    Attributes:
        path: path of the file.
        lines: number and content of each line below the first that was there when it was opened.
        note: sentence about a damaged last line that was dropped; empty if there was none.
    """

    def __init__(self, path: Path, dataset: FaceDataset) -> None:
        self.path = path
        self.lines: list[tuple[int, dict[str, Any]]] = []
        self.note = ""
        begin = {
            "mien_review": _FORMAT,
            "data": dataset.name,
            "fingerprint": dataset.fingerprint,
            "labels": list(dataset.names),
        }
        self._end = self._read(begin) if path.exists() else 0
        is_new = self._end == 0
        try:
            self._file = path.open("ab", buffering=0)
            self._file.truncate(self._end)
            if is_new:
                self.append(begin)
                _sync_folder(path.parent)
        except OSError as error:
            raise MienError(f"{path}: cannot be written ({error.strerror})") from error

    def append(self, line: dict[str, Any]) -> None:
        """Write a line, and return once it is on the disk.

        Raises:
            OSError: if it cannot be written, such as on a full disk; nothing of it is left.
        """
        content = _encode(line)
        try:
            left = memoryview(content)
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(self._end)
            raise
        self._end += len(content)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, begin: dict[str, Any]) -> int:
        """Read the lines, and return the size of those that are whole, in bytes."""
        content = read_file(self.path, max_bytes=CONTENT_MB.value << 20)
        lines = content.splitlines(keepends=True)
        end = 0
        for number, line in enumerate(lines, 1):
            event = _decode(line) if line.endswith(b"\n") else None
            if event is None and number == len(lines):
                self.note = (
                    f"{self.path}: the last line is damaged, as of a process that was killed while "
                    "it wrote, and was dropped"
                )
                break
            if event is None:
                raise DataError(
                    f"{self.path}: line {number:,} is not a line of a review; mend or delete it"
                )
            if number == 1:
                self._check_begin(event, begin)
            else:
                self.lines.append((number, event))
            end += len(line)
        return end

    def _check_begin(self, found: dict[str, Any], begin: dict[str, Any]) -> None:
        if found.get("mien_review") != _FORMAT:
            raise DataError(f"{self.path}: line 1 is not the first line of a review of this mien")
        if found != {**begin, "data": found.get("data")}:
            raise DataError(
                f"{self.path}: is the review of {str(found.get('data'))[:60]!r} as it was then; "
                f"{begin['data']!r} has other images, labels or splits. Read it with the options "
                "that it was read with, or choose another --out"
            )


@contextmanager
def open_journal(manifest: Path, dataset: FaceDataset) -> Iterator[Journal]:
    """Open the journal of a manifest, or begin it, and keep other processes out of it.

    Args:
        manifest: path of the manifest, beside which it lies.
        dataset: data set that is reviewed.

    Raises:
        MienError: if another process has it open, if it is the journal of other data, or it cannot
            be read or written.
    """
    path = journal_path(manifest)
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked_file(path.with_name(f".{path.name}.lock")))
        except BlockingIOError:
            raise MienError(
                f"{manifest}: another mien data review has it open; use its page, or stop it first"
            ) from None
        except OSError as error:
            raise MienError(f"{manifest}: cannot be written ({error.strerror or error})") from error
        journal = Journal(path, dataset)
        stack.callback(journal.close)
        yield journal


def _encode(line: dict[str, Any]) -> bytes:
    return (json.dumps(line) + "\n").encode("ascii")


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _sync_folder(folder: Path) -> None:
    """Put the name of a new file on the disk; not every system can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
