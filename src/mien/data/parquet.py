"""Parquet in Hugging Face's layout: an ``image`` column of bytes and path, and a ``label``.

Optional columns: ``usage`` (or ``split``) and ``ferplus``, ten FER+ votes an image.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.data.dataset import FaceDataset
from mien.data.pixels import decode_image, to_crop
from mien.data.rows import Rows, join_images, text_array
from mien.data.split import COMPETITION_WORDS, split_of
from mien.emotions import FERPLUS_VOTES, parse_emotion
from mien.errors import DataError, MienError, nearest
from mien.files import atomic_file

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
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error})") from error
    schema = file.schema_arrow
    for wanted in ("image", "label"):
        if wanted not in schema.names:
            raise DataError(
                f"{path}: no column {wanted!r}{nearest(wanted, schema.names)}, has "
                f"{', '.join(schema.names)}; expected image, label and optionally usage, ferplus"
            )
    names = _label_names(schema.metadata)
    split_column = next((name for name in ("usage", "split") if name in schema.names), None)
    has_votes = "ferplus" in schema.names
    columns = ["image", "label", *([split_column] if split_column else [])]
    columns += ["ferplus"] if has_votes else []
    reader = _RowReader(path, names, "" if split_column else _split_by_name(path))

    images, labels, splits, ids = [], [], [], []
    votes: list[Any] = []
    skipped: list[str] = []
    start = 0
    with ThreadPoolExecutor(_WORKERS) as pool:
        for batch in file.iter_batches(_ROWS_A_BATCH, columns=columns):
            records = batch.to_pylist()
            crops = []
            rows = range(start, start + len(records))
            for offset, result in enumerate(pool.map(reader.read, records, rows)):
                if isinstance(result, DataError):
                    if not skip_bad:
                        raise DataError(f"{result}; --skip-bad leaves bad rows out and lists them")
                    skipped.append(str(result))
                    continue
                crop, label, split = result
                crops.append(crop)
                labels.append(label)
                splits.append(split)
                ids.append(f"{path.name}: row {start + offset + 1}")
                if has_votes:
                    votes.append(records[offset]["ferplus"] or [0] * len(FERPLUS_VOTES))
            if crops:
                images.append(np.stack(crops))
            start += len(records)
    return Rows(
        images=join_images(images),
        labels=np.array(labels, np.int64),
        splits=np.array(splits, "<U5"),
        ids=text_array(ids),
        votes=np.array(votes, np.int8).reshape(-1, len(FERPLUS_VOTES)) if has_votes else None,
        skipped=skipped,
    )


class _RowReader:
    """Reads one record at a time, on any thread."""

    def __init__(self, path: Path, names: list[str] | None, split: str) -> None:
        self.path = path
        self.names = names
        self.split = split

    def read(
        self, record: dict[str, Any], index: int
    ) -> tuple[npt.NDArray[np.uint8], int, str] | DataError:
        where = f"{self.path}: row {index + 1:,}"
        try:
            return (
                to_crop(decode_image(self._bytes(record["image"]), where)),
                self._label(record["label"], where),
                self._split(record, where),
            )
        except DataError as error:
            return error

    def _bytes(self, image: Any) -> bytes:
        if not isinstance(image, dict):
            return bytes(image or b"")
        if image.get("bytes"):
            return bytes(image["bytes"])
        if image.get("path"):
            beside = self.path.parent / image["path"]
            return beside.read_bytes() if beside.is_file() else b""
        return b""

    def _label(self, value: Any, where: str) -> int:
        if self.names is not None and isinstance(value, int) and 0 <= value < len(self.names):
            value = self.names[value]
        try:
            return parse_emotion(str(value))
        except DataError as error:
            raise DataError(f"{where} has the {error}") from None

    def _split(self, record: dict[str, Any], where: str) -> str:
        word = record.get("usage", record.get("split"))
        if word is None:
            return self.split
        split = split_of(str(word))
        if split is None:
            expected = ", ".join(COMPETITION_WORDS.values())
            raise DataError(f"{where} has the usage {word!r}, expected {expected}")
        return split


def _label_names(metadata: dict[bytes, bytes] | None) -> list[str] | None:
    """Return the label names that Hugging Face's ``datasets`` wrote into the file, if it did."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        names = features["label"]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]


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
