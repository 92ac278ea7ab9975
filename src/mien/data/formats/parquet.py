"""Parquet in Hugging Face's layout: a column ``image`` with bytes and path, and one ``label``.

Optional columns: ``usage`` (or ``split``), and ``ferplus`` with ten FER+ votes for each image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import FERPLUS_VOTES, USAGES
from mien.data.formats._fields import DRAWN, SKIP_BAD_ROWS, UnknownLabelError
from mien.data.formats._files import visible_files
from mien.data.formats._parquet_rows import (
    Face,
    RowReader,
    content_of,
    import_pyarrow,
    schema_of,
    value_of,
)
from mien.data.formats.base import (
    DEFAULT_OPTIONS,
    FORMATS,
    Format,
    ReadOptions,
    Source,
    first_bytes,
)
from mien.data.rows import Rows, collect_images, text_array
from mien.errors import DataError, first_line
from mien.images.crop import encode_png
from mien.images.header import Size
from mien.images.size import image_size
from mien.io.limits import BAD_ROWS, CONTENT_MB, ROWS
from mien.io.mapped import RowsFile, release_pages
from mien.types import Votes

_WORKERS: Final = 2
_BATCH_ROWS: Final = 512
_MAGIC: Final = b"PAR1"
_GROUP_ROWS: Final = 1024  # rows that are written at once
_NO_PIXELS: Final = np.empty(0, np.uint8)


@FORMATS.register("parquet")
class ParquetFormat(Format):
    """Parquet files, which together are one data set, or a folder that holds them.

    Row numbers count through all files, in the order of their names.
    """

    expects = "one or several Parquet files"
    order = 20
    suffix = ".parquet"
    keeps_votes = True
    keeps_drawn = True
    keeps_image_files = True

    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return one file of any name, several ``.parquet`` files, or those in a folder."""
        path = paths[0]
        if len(paths) > 1:
            if not all(one.is_file() and one.suffix.lower() == self.suffix for one in paths):
                return None
            return Source(path.absolute().parent.name, tuple(sorted(paths)))
        if not path.is_dir():
            return Source(path.stem, (path,)) if first_bytes(path).startswith(_MAGIC) else None
        files = visible_files(path, "*.parquet") or visible_files(path, "data/*.parquet")
        return Source(path.absolute().name, tuple(sorted(files))) if files else None

    def read(self, source: Source, options: ReadOptions) -> Rows:
        """Read the Parquet files (see `read_parquet`)."""
        return read_parquet(source.files, options)

    def find_labels(self, source: Source) -> Iterable[str]:
        """Return the names that Hugging Face's metadata tell, else the values of the column."""
        words: set[str] = set()
        for path in source.files:
            with _reading(path) as file:
                reader = RowReader(path, file.schema_arrow, DEFAULT_OPTIONS)
                if reader.label_names is not None:
                    words.update(reader.label_names)
                    continue
                for batch in _records(file, ["label"], 1, path):
                    found = {
                        value_of(record, "label", f"{path}: row {row:,}") for row, record in batch
                    } - {None}
                    words.update(map(str, found))
        return words

    def has_votes(self, source: Source) -> bool:
        """Return whether a file has the column of FER+ votes."""
        for path in source.files:
            with _reading(path) as file:
                if "ferplus" in file.schema_arrow.names:
                    return True
        return False

    def write(self, dataset: FaceDataset, path: Path) -> None:
        """Write one file, with images as lossless PNG, and the names of the labels."""
        pa, pq = import_pyarrow()
        schema = schema_of(dataset)
        # An open file, not its path: pyarrow takes no name that is not UTF-8.
        with path.open("wb") as handle, pq.ParquetWriter(handle, schema) as writer:
            for start in range(0, len(dataset), _GROUP_ROWS):
                rows = slice(start, start + _GROUP_ROWS)
                columns: dict[str, Any] = {
                    "image": [
                        {"bytes": encode_png(image), "path": None} for image in dataset.images[rows]
                    ],
                    "label": dataset.labels[rows],
                    "usage": [USAGES[str(split)] for split in dataset.splits[rows]],
                }
                if dataset.votes is not None:
                    columns["ferplus"] = [
                        row.tolist() if row.any() else None for row in dataset.votes[rows]
                    ]
                writer.write_table(pa.table(columns, schema))
                release_pages(dataset.images)

    def read_sizes(self, source: Source, dataset: FaceDataset) -> Iterable[Size]:
        """Return the sizes of the images in the data set's rows."""
        wanted = set(dataset.rows.tolist())
        sizes: dict[int, Size] = {}
        start = 1
        for path in source.files:
            with _reading(path) as file:
                for batch in _records(file, ["image"], start, path):
                    for row, record in batch:
                        if row in wanted:
                            where = f"{path}: row {row - start + 1:,}"
                            sizes[row] = image_size(content_of(record, where), where)
                start += file.metadata.num_rows
        if missing := wanted - sizes.keys():
            raise DataError(
                f"{dataset.name}: its files have changed since it was loaded (rows missing: "
                f"{len(missing):,}); load it again"
            )
        return [sizes[row] for row in dataset.rows.tolist()]


def read_parquet(paths: Sequence[Path], options: ReadOptions = DEFAULT_OPTIONS) -> Rows:
    """Read Parquet files, which together are one data set.

    A split comes from the column ``usage`` or ``split``, else from the file's name
    (``train-00000-of-00001.parquet``). Labels are numbered by the names in Hugging Face's own
    metadata if the file has them, else as in FER-2013.

    Args:
        paths: paths of the files, in the order in which they are read.
        options: labels, size and channels to read, and what becomes of bad rows.

    Raises:
        DataError: if a file is not Parquet, lacks a column or has no usable row, or at the first
            bad row.
        MienError: if pyarrow is not installed.
    """
    crops = collect_images(options.crop)
    parts, start = [], 1
    for path in paths:
        part, count = _read_file(path, start, options, crops)
        parts.append(part)
        start += count
    if not any(len(part.labels) for part in parts):
        skipped = [line for part in parts for line in part.skipped]
        first = f", {len(skipped):,} skipped: {skipped[0]}" if skipped else ""
        raise DataError(f"{paths[0]}: no usable rows ({len(paths)} file(s) read{first})")
    votes = [part.votes for part in parts]
    any_votes = any(part is not None for part in votes)
    return Rows(
        images=crops.finish(),
        labels=np.concatenate([part.labels for part in parts]),
        splits=np.concatenate([part.splits for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
        votes=np.concatenate([_votes_or_zeros(part) for part in parts]) if any_votes else None,
        skipped=[line for part in parts for line in part.skipped],
        unknown=dict(sum((Counter(part.unknown) for part in parts), Counter())),
        notes=[note for part in parts for note in part.notes],
        drawn=any(part.drawn for part in parts),
    )


def _read_file(path: Path, start: int, options: ReadOptions, crops: RowsFile) -> tuple[Rows, int]:
    """Read the rows of one file, numbered from `start`; add their images to `crops`.

    Returns:
        The rows, without images, and how many rows the file has.
    """
    faces: list[Face] = []
    skipped: list[str] = []
    unknown: Counter[str] = Counter()
    with _reading(path) as file, ThreadPoolExecutor(_WORKERS) as pool:
        reader = RowReader(path, file.schema_arrow, options)
        for batch in _records(file, reader.columns, 1, path):
            images = []
            for result in pool.map(reader.read, *zip(*batch, strict=True)):
                if not isinstance(result, DataError):
                    images.append(result[0])
                    faces.append(result[1])
                elif options.skip_bad:
                    skipped.append(str(result))
                    BAD_ROWS.check(len(skipped), path)
                    if isinstance(result, UnknownLabelError):
                        unknown[result.word] += 1
                elif isinstance(result, UnknownLabelError):
                    raise UnknownLabelError(f"{result}; {SKIP_BAD_ROWS}", result.word)
                else:
                    raise DataError(f"{result}; {SKIP_BAD_ROWS}")
            if images:
                crops.add(np.stack(images))
        count: int = file.metadata.num_rows
    rows = Rows(
        images=_NO_PIXELS,
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
        unknown=dict(unknown),
        notes=[reader.note] if reader.note else [],
        drawn=DRAWN.encode() in (file.schema_arrow.metadata or {}),
    )
    return rows, count


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Open a Parquet file; errors of reading it become a DataError."""
    pa, pq = import_pyarrow()
    try:
        with path.open("rb") as handle, pq.ParquetFile(handle) as file:
            ROWS.check(file.metadata.num_rows, path)
            yield file
    # Text that is not UTF-8 and damaged metadata: pyarrow raises errors of many types for them.
    except (
        pa.ArrowException, OSError, ValueError, TypeError, OverflowError, LookupError, RuntimeError
    ) as error:  # fmt: skip
        reason = first_line(error)
        raise DataError(f"{path}: cannot be read as Parquet ({reason})") from error


def _records(
    file: Any, columns: list[str], start: int, path: Path
) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Yield batches of (row number, record of cells), numbered from `start`.

    Raises:
        DataError: if a part of the file is too large.
    """
    size = _BATCH_ROWS
    for group in range(file.metadata.num_row_groups):
        # Not by column: of some damaged files pyarrow ends the process when it is asked for one.
        total = file.metadata.row_group(group).total_byte_size
        CONTENT_MB.check(total / (1 << 20), f"{path}: row group {group + 1:,}")
        # One value that many rows repeat may be all of it.
        size = min(size, max(1, (CONTENT_MB.value << 20) // max(total, 1)))
    for batch in file.iter_batches(size, columns=columns):
        cells = {name: batch.column(name) for name in columns}
        yield [
            (start + row, {name: column[row] for name, column in cells.items()})
            for row in range(len(batch))
        ]
        start += len(batch)


def _votes_or_zeros(part: Rows) -> Votes:
    if part.votes is not None:
        return part.votes
    return np.zeros((len(part.labels), len(FERPLUS_VOTES)), np.int8)
