"""Parquet in Hugging Face's layout: a column ``image`` with bytes and path, and one ``label``.

Optional columns: ``usage`` (or ``split``), and ``ferplus`` with ten FER+ votes for each image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import FERPLUS_VOTES, USAGES
from mien.data.formats._parquet_rows import RowReader, content_of, import_pyarrow
from mien.data.formats.base import FORMATS, Format, Source, first_bytes, visible_files
from mien.data.rows import Rows, join_images, text_array
from mien.errors import DataError, first_line
from mien.images.header import Size, image_size
from mien.types import Votes

_WORKERS: Final = 2
_BATCH_ROWS: Final = 2048
_MAGIC: Final = b"PAR1"


@FORMATS.register("parquet")
class ParquetFormat(Format):
    """Parquet files, which together are one data set, or a folder that holds them.

    Row numbers count through all files, in the order of their names.
    """

    expects = "one or several Parquet files"
    order = 20
    suffix = ".parquet"
    keeps_votes = True
    keeps_image_files = True

    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return one file of any name, several ``.parquet`` files, or those in a folder."""
        path = paths[0]
        if len(paths) > 1:
            if not all(one.is_file() and one.suffix == self.suffix for one in paths):
                return None
            return Source(path.absolute().parent.name, tuple(sorted(paths)))
        if not path.is_dir():
            return Source(path.stem, (path,)) if first_bytes(path).startswith(_MAGIC) else None
        files = visible_files(path, "*.parquet") or visible_files(path, "data/*.parquet")
        return Source(path.absolute().name, tuple(sorted(files))) if files else None

    def read(self, source: Source, *, skip_bad: bool) -> Rows:
        """Read the Parquet files (see `read_parquet`)."""
        return read_parquet(source.files, skip_bad=skip_bad)

    def write(self, dataset: FaceDataset, path: Path) -> None:
        """Write one file, with images as lossless PNG."""
        pa, pq = import_pyarrow()
        pngs = [cv2.imencode(".png", image)[1].tobytes() for image in dataset.images]
        columns: dict[str, Any] = {
            "image": pa.array(
                [{"bytes": png, "path": None} for png in pngs],
                pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
            ),
            "label": pa.array(dataset.labels),
            "usage": pa.array([USAGES[str(split)] for split in dataset.splits]),
        }
        if dataset.votes is not None:
            votes = [row.tolist() if row.any() else None for row in dataset.votes]
            columns["ferplus"] = pa.array(votes, pa.list_(pa.int8(), len(FERPLUS_VOTES)))
        pq.write_table(pa.table(columns), path)

    def read_sizes(self, source: Source, dataset: FaceDataset) -> Iterable[Size]:
        """Return the sizes of the images in the data set's rows."""
        wanted = set(dataset.rows.tolist())
        sizes: dict[int, Size] = {}
        start = 1
        for path in source.files:
            with _reading(path) as file:
                for batch in _records(file, ["image"], start):
                    for row, record in batch:
                        if row in wanted:
                            where = f"{path}: row {row - start + 1:,}"
                            sizes[row] = image_size(content_of(record), where)
                start += file.metadata.num_rows
        if missing := wanted - sizes.keys():
            raise DataError(
                f"{dataset.name}: its files have changed since it was loaded (rows missing: "
                f"{len(missing):,}); load it again"
            )
        return [sizes[row] for row in dataset.rows.tolist()]


def read_parquet(paths: Sequence[Path], *, skip_bad: bool = False) -> Rows:
    """Read Parquet files, which together are one data set.

    A split comes from the column ``usage`` or ``split``, else from the file's name
    (``train-00000-of-00001.parquet``). Labels are numbered by the names in Hugging Face's own
    metadata if the file has them, else as in FER-2013.

    Args:
        paths: paths of the files, in the order in which they are read.
        skip_bad: leave bad rows out and list them in ``skipped``, instead of raising an error at
            the first.

    Raises:
        DataError: if a file is not Parquet, lacks a column or has no usable row, or at the first
            bad row.
        MienError: if pyarrow is not installed.
    """
    parts, start = [], 1
    for path in paths:
        part, count = _read_file(path, start, skip_bad=skip_bad)
        parts.append(part)
        start += count
    if not any(len(part) for part in parts):
        raise DataError(f"{paths[0]}: no usable rows ({len(paths)} file(s) read)")
    votes = [part.votes for part in parts]
    any_votes = any(part is not None for part in votes)
    return Rows(
        images=join_images([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        splits=np.concatenate([part.splits for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
        votes=np.concatenate([_votes_or_zeros(part) for part in parts]) if any_votes else None,
        skipped=[line for part in parts for line in part.skipped],
    )


def _read_file(path: Path, start: int, *, skip_bad: bool) -> tuple[Rows, int]:
    """Return the rows of one file, numbered from `start`, and how many rows the file has."""
    faces, skipped = [], []
    with _reading(path) as file, ThreadPoolExecutor(_WORKERS) as pool:
        reader = RowReader(path, file.schema_arrow)
        for batch in _records(file, reader.columns, 1):
            for result in pool.map(reader.read, *zip(*batch, strict=True)):
                if not isinstance(result, DataError):
                    faces.append(result)
                elif skip_bad:
                    skipped.append(str(result))
                else:
                    raise DataError(f"{result}; --skip-bad leaves bad rows out and lists them")
        count: int = file.metadata.num_rows
    rows = Rows(
        images=join_images([face.image[None] for face in faces]),
        labels=np.array([face.label for face in faces], np.int64),
        splits=np.array([face.split for face in faces], "<U5"),
        ids=text_array(f"{path.name}: row {face.row}" for face in faces),
        rows=np.array([start - 1 + face.row for face in faces], np.int64),
        votes=(
            np.array([face.votes for face in faces], np.int8).reshape(-1, len(FERPLUS_VOTES))
            if "ferplus" in reader.columns
            else None
        ),
        skipped=skipped,
    )
    return rows, count


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Open a Parquet file; errors of reading it become a DataError."""
    pa, pq = import_pyarrow()
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        reason = first_line(error)
        raise DataError(f"{path}: cannot be read as Parquet ({reason})") from error


def _records(
    file: Any, columns: list[str], start: int
) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Yield batches of (row number, record), numbered from `start`."""
    for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
        yield list(enumerate(batch.to_pylist(), start=start))
        start += len(batch)


def _votes_or_zeros(part: Rows) -> Votes:
    if part.votes is not None:
        return part.votes
    return np.zeros((len(part), len(FERPLUS_VOTES)), np.int8)
