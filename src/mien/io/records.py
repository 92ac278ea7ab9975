"""Typed records as JSON files: one function writes them, one reads them back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from mien.errors import MienError, RunError, first_line
from mien.io.files import write_text

R = TypeVar("R", bound=BaseModel)


def write_record(path: Path, record: BaseModel, *, indent: int | None = 2) -> None:
    """Write a record as JSON, whole or not at all.

    Args:
        path: path of the file, replaced if it exists.
        record: record to write.
        indent: number of spaces per level; None writes one line, for records with many numbers.

    Raises:
        MienError: if the file cannot be written.
    """
    # Not pydantic's own writer: it refuses names of files that are not UTF-8, as its reader does.
    separators = (",", ":") if indent is None else None
    plain = record.model_dump(mode="json")
    write_text(path, json.dumps(plain, indent=indent, separators=separators) + "\n")


def read_record(
    kind: type[R],
    path: Path,
    *,
    error: type[MienError] = RunError,
    mend: str = "copy it back from a backup",
) -> R:
    """Read a record that `write_record` wrote.

    Args:
        kind: class of the record.
        path: path of the file.
        error: class of the error that is raised for a file that cannot be read or is damaged.
        mend: advice for a damaged file, with which the message ends.

    Raises:
        MienError: if the file cannot be read, is not JSON or is not a record of this kind; of the
            class `error`.
    """
    try:
        return kind.model_validate(json.loads(path.read_bytes()))
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror}); {mend}") from problem
    except ValidationError as problem:
        first = problem.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole file"
        reason = f"{key}: {first['msg'].removeprefix('Value error, ').lower()}"
        raise error(f"{path}: damaged ({reason}); {mend}") from None
    except (ValueError, RecursionError) as problem:  # not JSON, not UTF-8, or nested too deeply
        reason = first_line(problem)
        raise error(f"{path}: damaged (not JSON: {reason}); {mend}") from None
