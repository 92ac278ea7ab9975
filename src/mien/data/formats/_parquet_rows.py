"""Single rows of Parquet files: check the columns, decode an image, parse its fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.formats._fields import (
    DRAWN,
    LABEL_COLUMNS,
    SPLIT_COLUMNS,
    UnknownLabelError,
    find_column,
    other_columns,
    parse_label,
    parse_usage,
)
from mien.data.formats.base import ReadOptions
from mien.data.split import split_in_name
from mien.errors import DataError, MienError, first_line, install_hint, nearest
from mien.images.crop import to_crop
from mien.images.decode import decode_image
from mien.io.limits import PIXELS, image_bytes
from mien.types import Crop


class Face(NamedTuple):
    """The fields of one row but its image, parsed; ``row`` counts from 1 in each file."""

    row: int
    label: int
    split: str
    votes: list[int]


class RowReader:
    """Reader of one record at a time, on any thread.

    Raises:
        DataError: if a column is missing or has a wrong type.
    """

    def __init__(self, path: Path, schema: Any, options: ReadOptions) -> None:
        pa, _ = import_pyarrow()
        self.path, self.options = path, options
        for wanted in ("image", "label"):
            if wanted not in schema.names:
                raise DataError(
                    f"{path}: no column {wanted!r}{nearest(wanted, schema.names)} among "
                    f"{', '.join(schema.names)}; expected image and label, optionally usage and "
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
        read = {
            "labels": (schema.names.index("label"), LABEL_COLUMNS),
            "splits": (find_column(schema.names, [self.split_column]), SPLIT_COLUMNS),
        }
        self.note = other_columns(path.name, schema.names, read)
        self.label_names = _label_names(schema.metadata)
        self._file_split = split_in_name(path.stem)

    def read(self, number: int, record: dict[str, Any]) -> tuple[Crop, Face] | DataError:
        """Return the crop and the fields of a record, or the error in it."""
        where = f"{self.path}: row {number:,}"
        try:
            crop = to_crop(decode_image(content_of(record, where), where), self.options.crop)
            values = {name: value_of(record, name, where) for name in self.columns[1:]}
        except DataError as error:
            return error
        try:
            label = self._label(values["label"])
            votes = _votes(values.get("ferplus"))
            return crop, Face(number, label, self._split(values), votes)
        except UnknownLabelError as error:
            return UnknownLabelError(f"{where} {error}", error.word)
        except DataError as error:
            return DataError(f"{where} {error}")

    def _label(self, value: Any) -> int:
        if self.label_names is not None and isinstance(value, int):
            if not 0 <= value < len(self.label_names):
                raise DataError(
                    f"has the label {value}, expected 0 to {len(self.label_names) - 1} "
                    f"({', '.join(self.label_names)})"
                )
            value = self.label_names[value]
        return parse_label(str(value), self.options.labels)

    def _split(self, record: dict[str, Any]) -> str:
        if not self.split_column:
            return self._file_split
        word = record[self.split_column]
        return "" if word is None else parse_usage(str(word))


def value_of(record: dict[str, Any], name: str, where: str) -> Any:
    """Return the value of a cell.

    Raises:
        DataError: if it is none that Python has, such as text that is not UTF-8, or the year 0.
    """
    try:
        return record[name].as_py()
    except Exception as error:  # pyarrow raises errors of every type
        raise DataError(
            f"{where} has a value in the column {name!r} that cannot be read ({first_line(error)})"
        ) from error


def content_of(record: dict[str, Any], where: str) -> bytes:
    """Return the image file in a record; empty if there is none.

    Raises:
        DataError: if it is too large for an image.
    """
    cell = record["image"]
    content = (cell["bytes"] if hasattr(cell, "keys") else cell).as_py() if cell.is_valid else None
    if len(content or b"") > image_bytes(PIXELS.value):
        raise DataError(f"{where} has an image file of {PIXELS.exceeded()}")
    return content or b""


def schema_of(dataset: FaceDataset) -> Any:
    """Return the schema of a data set, with the metadata of Hugging Face's ``datasets``."""
    pa, _ = import_pyarrow()
    fields = [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("label", pa.int64()),
        ("usage", pa.string()),
    ]
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(dataset.names), "_type": "ClassLabel"},
        "usage": {"dtype": "string", "_type": "Value"},
    }
    if dataset.votes is not None:
        # Not of a fixed length: pyarrow before 26 cannot write None among such lists.
        fields.append(("ferplus", pa.list_(pa.int8())))
        features["ferplus"] = {
            "feature": {"dtype": "int8", "_type": "Value"},
            "_type": "Sequence",
        }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    if dataset.drawn:
        metadata[DRAWN] = "1"
    return pa.schema(fields, metadata=metadata)


def _votes(value: Any) -> list[int]:
    """Return FER+ votes, zeros if there are none."""
    if value is None:
        return [0] * len(FERPLUS_VOTES)
    if len(value) != len(FERPLUS_VOTES) or not all(v is not None and 0 <= v <= 127 for v in value):
        raise DataError(f"has the votes {value}, expected {len(FERPLUS_VOTES)} counts of 0 to 127")
    return list(value)


def _is_list_of_integers(pa: Any, kind: Any) -> bool:
    is_list = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_one(kind) for is_one in is_list):
        return bool(pa.types.is_null(kind))  # a column of nulls alone
    return bool(pa.types.is_integer(kind.value_type))


def _label_names(metadata: dict[bytes, bytes] | None) -> list[str] | None:
    """Return the label names that Hugging Face's ``datasets`` wrote; None if there are none."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name) for name in features["label"]["names"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def import_pyarrow() -> tuple[Any, Any]:
    """Return the modules ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        MienError: if pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MienError(
            f"reading and writing Parquet needs pyarrow: {install_hint('pyarrow')}"
        ) from error
    return pa, pq
