"""Groups of people: a CSV that says to which groups the person in each image belongs."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from mien.errors import DataError, nearest
from mien.io.files import AnyPath, expand_user
from mien.io.limits import CONTENT_MB
from mien.io.text import read_csv_cell
from mien.types import Strings

MOST_GROUPS: Final = 30  # different values of one column
_ID: Final = "id"

Groups = Mapping[str, Strings]  # name of each column -> the group of each image, "" for unknown


def read_groups(path: AnyPath, ids: Strings, *, data: str) -> Groups:
    """Read the groups of images from a CSV with the column ``id`` and a column for each grouping.

    An image whose cell is empty, or that has no row, is in no group. Rows about images of other
    splits are passed over.

    Args:
        path: path of the CSV, such as ``id,age,gender`` in its first line.
        ids: ids of the images. Shape: (N,).
        data: name of the data set, for errors.

    Returns:
        The group of each image by column, empty for none. Shape: str (N,).

    Raises:
        DataError: if the file is no such CSV, names an image twice or none of the images, or a
            column has more than `MOST_GROUPS` groups.
    """
    path = expand_user(path)
    header, rows = _read(path)
    columns = [name for name in header if name != _ID]
    at = {name: position for position, name in enumerate(ids.tolist())}
    groups = {name: np.full(len(ids), "", object) for name in columns}
    seen: dict[str, int] = {}
    for number, row in rows:
        before = seen.setdefault(row[_ID], number)
        if before != number:
            raise DataError(f"{path}: line {number:,} repeats the id of line {before:,}")
        if (position := at.get(row[_ID])) is not None:
            for name in columns:
                groups[name][position] = row[name]
    if not seen.keys() & at.keys():
        example = next(iter(at), "")
        raise DataError(
            f"{path}: none of its {len(seen):,} ids is an image of {data}, expected ids such as "
            f"{example!r}; mien report --figures lists them in predictions.csv"
        )
    for name, values in groups.items():
        found = sorted(set(values.tolist()) - {""})
        if len(found) > MOST_GROUPS:
            raise DataError(
                f"{path}: the column {name!r} has {len(found):,} different values, expected at "
                f"most {MOST_GROUPS}; join them to groups, such as 20-39 for ages"
            )
    return {name: values.astype(np.str_) for name, values in groups.items()}


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header of a CSV, and its rows with the numbers of their lines."""
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: a folder or a device, expected a CSV file")
    try:
        CONTENT_MB.check(path.stat().st_size / (1 << 20), path)
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if _ID not in header or len(set(header)) < max(len(header), 2):
                raise DataError(
                    f"{path}: the header is {','.join(header)[:60]!r}{nearest(_ID, header)}, "
                    "expected id and a column for each grouping, each with a name of its own, such "
                    "as id,age,gender"
                )
            rows = []
            for cells in reader:
                if len(cells) not in (0, len(header)):
                    raise DataError(
                        f"{path}: line {reader.line_num:,} has {len(cells)} fields, expected "
                        f"{len(header)} ({','.join(header)[:60]})"
                    )
                if cells:
                    values = (read_csv_cell(cell.strip()) for cell in cells)
                    rows.append((reader.line_num, dict(zip(header, values, strict=True))))
            return header, rows
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not text in UTF-8; save it as CSV in UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num:,} cannot be read as CSV ({error}); is the file "
            "complete?"
        ) from error
