"""Parquet in Hugging Face's layout: an ``image`` column of bytes and path, and a ``label``.

Optional columns: ``usage`` (or ``split``) and ``ferplus``, ten FER+ votes an image.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.data.dataset import FaceDataset
from mien.data.rows import Rows, join_images, text_array
from mien.data.split import COMPETITION_WORDS, split_of
from mien.errors import DataError, MienError, nearest
from mien.images.crop import to_crop
from mien.images.decode import decode_image
from mien.io.files import atomic_file
from mien.labels import FERPLUS_VOTES, parse_emotion

_WORKERS: Final = 2
_ROWS_A_BATCH: Final = 2048


def read_parquet(paths: Sequence[Path], *, skip_bad: bool = False) -> Rows:
    """Read Parquet files, which together are one data set, in the order of their names.

    A split comes from the ``usage`` or ``split`` column, else from the file's name
    (``train-00000-of-00001.parquet``). Label numbers follow the names in Hugging Face's own
    metadata where the file carries them, else FER-2013's order.

    Args:
        paths: the files.
        skip_bad: leave bad rows out and list them, instead of raising at the first.

    Raises:
        DataError: for a file that is no Parquet, a missing column, or the first bad row.
        MienError: if pyarrow is not installed.
    """
    parts = [_read_file(path, skip_bad) for path in sorted(paths)]
    if not any(len(part) for part in parts):
        raise DataError(f"{paths[0]}: no usable rows ({len(paths)} file(s) read)")
    votes = [part.votes for part in parts]
    any_votes = any(part is not None for part in votes)
    return Rows(
        images=join_images([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        splits=np.concatenate([part.splits for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        votes=np.concatenate([_votes_or_zeros(part) for part in parts]) if any_votes else None,
        skipped=[line for part in parts for line in part.skipped],
    )


def write_parquet(dataset: FaceDataset, path: Path) -> None:
    """Write a data set as one Parquet file in Hugging Face's layout, images as lossless PNG."""
    pa, pq = _pyarrow()
    pngs = [cv2.imencode(".png", image)[1].tobytes() for image in dataset.images]
    columns: dict[str, Any] = {
        "image": pa.array(
            [{"bytes": png, "path": None} for png in pngs],
            pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        ),
        "label": pa.array(dataset.labels),
        "usage": pa.array([COMPETITION_WORDS[str(split)] for split in dataset.splits]),
    }
    if dataset.votes is not None:
        votes = [row.tolist() if row.any() else None for row in dataset.votes]
        columns["ferplus"] = pa.array(votes, pa.list_(pa.int8(), len(FERPLUS_VOTES)))
    with atomic_file(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def _read_file(path: Path, skip_bad: bool) -> Rows:
    pa, pq = _pyarrow()
    try:
        file = pq.ParquetFile(path)
        reader = _RowReader(path, file.schema_arrow)
        records = _records(file, reader.columns)
        with ThreadPoolExecutor(_WORKERS) as pool:
            faces, skipped = [], []
            for batch in records:
                for result in pool.map(reader.read, *zip(*batch, strict=True)):
                    if not isinstance(result, DataError):
                        faces.append(result)
                    elif skip_bad:
                        skipped.append(str(result))
                    else:
                        raise DataError(f"{result}; --skip-bad leaves bad rows out and lists them")
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:100]
        raise DataError(f"{path}: cannot be read as Parquet ({reason})") from error
    return Rows(
        images=join_images([face.image[None] for face in faces]),
        labels=np.array([face.label for face in faces], np.int64),
        splits=np.array([face.split for face in faces], "<U5"),
        ids=text_array(face.name for face in faces),
        votes=(
            np.array([face.votes for face in faces], np.int8).reshape(-1, len(FERPLUS_VOTES))
            if "ferplus" in reader.columns
            else None
        ),
        skipped=skipped,
    )


def _records(file: Any, columns: list[str]) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Give batches of (row number, record); the numbers count from 1."""
    start = 1
    for batch in file.iter_batches(_ROWS_A_BATCH, columns=columns):
        yield list(enumerate(batch.to_pylist(), start=start))
        start += len(batch)


@dataclass(frozen=True)
class _Face:
    name: str
    image: npt.NDArray[np.uint8]
    label: int
    split: str
    votes: list[int]


class _RowReader:
    """Reads one record at a time, on any thread.

    Raises:
        DataError: if a column is missing or holds something else than it should.
    """

    def __init__(self, path: Path, schema: Any) -> None:
        pa, _ = _pyarrow()
        self.path = path
        for wanted in ("image", "label"):
            if wanted not in schema.names:
                raise DataError(
                    f"{path}: no column {wanted!r}{nearest(wanted, schema.names)}, has "
                    f"{', '.join(schema.names)}; expected image, label and optionally usage, "
                    "ferplus"
                )
        kind = schema.field("image").type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            raise DataError(
                f"{path}: the column 'image' holds {kind}, expected the bytes of image files"
            )
        self.split_column = next((name for name in ("usage", "split") if name in schema.names), "")
        optional = [name for name in (self.split_column, "ferplus") if name in schema.names]
        self.columns = ["image", "label", *optional]
        if "ferplus" in schema.names:
            kind = schema.field("ferplus").type
            if not _is_list_of_integers(pa, kind):
                raise DataError(
                    f"{path}: the column 'ferplus' holds {kind}, expected a list of "
                    f"{len(FERPLUS_VOTES)} vote counts"
                )
        self._label_names = _label_names(schema.metadata)
        self._file_split = _split_by_name(path)

    def read(self, number: int, record: dict[str, Any]) -> _Face | DataError:
        """Return the record's face, or what is wrong with it."""
        where = f"{self.path}: row {number:,}"
        image = record["image"]
        content = image.get("bytes") if isinstance(image, dict) else image
        try:
            return _Face(
                name=f"{self.path.name}: row {number}",
                image=to_crop(decode_image(content or b"", where)),
                label=self._label(record["label"], where),
                split=self._split(record, where),
                votes=_votes(record.get("ferplus"), where),
            )
        except DataError as error:
            return error

    def _label(self, value: Any, where: str) -> int:
        if self._label_names is not None and isinstance(value, int):
            if not 0 <= value < len(self._label_names):
                raise DataError(
                    f"{where} has the label {value}, expected 0 to {len(self._label_names) - 1} "
                    f"({', '.join(self._label_names)})"
                )
            value = self._label_names[value]
        try:
            return parse_emotion(str(value)[:40])
        except DataError as error:
            raise DataError(f"{where} has the {error}") from None

    def _split(self, record: dict[str, Any], where: str) -> str:
        if not self.split_column:
            return self._file_split
        word = record[self.split_column]
        split = "" if word is None else split_of(str(word))
        if split is None:
            expected = ", ".join(COMPETITION_WORDS.values())
            raise DataError(f"{where} has the usage {word!r}, expected {expected}")
        return split


def _votes(value: Any, where: str) -> list[int]:
    """Return FER+ votes, zeros where there are none."""
    if value is None:
        return [0] * len(FERPLUS_VOTES)
    if len(value) != len(FERPLUS_VOTES) or not all(v is not None and 0 <= v <= 127 for v in value):
        raise DataError(f"{where} has the votes {value}, expected {len(FERPLUS_VOTES)} counts")
    return list(value)


def _is_list_of_integers(pa: Any, kind: Any) -> bool:
    is_list = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_one(kind) for is_one in is_list):
        return bool(pa.types.is_null(kind))  # a column of nothing but nulls
    return bool(pa.types.is_integer(kind.value_type))


def _label_names(metadata: dict[bytes, bytes] | None) -> list[str] | None:
    """Return the label names that Hugging Face's ``datasets`` wrote into the file, if it did."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name) for name in features["label"]["names"]]
    except (KeyError, TypeError, ValueError):
        return None


def _split_by_name(path: Path) -> str:
    words = re.split(r"[^A-Za-z]+", path.stem)
    return next((split for word in words if word and (split := split_of(word))), "")


def _votes_or_zeros(part: Rows) -> npt.NDArray[np.int8]:
    if part.votes is not None:
        return part.votes
    return np.zeros((len(part), len(FERPLUS_VOTES)), np.int8)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MienError(
            "reading and writing Parquet needs pyarrow: pip install 'mien[train]'"
        ) from error
    return pa, pq
