"""The Parquet file of a part."""

from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from mien.batch.table import Counts, PartTable, read_counts
from mien.labels import FER2013, LabelSet
from mien.vision.reading import Reading
from mien.vision.sinks.csv import csv_columns
from mien.vision.sources import Frame

FRAME = Frame(np.zeros((1, 1), np.uint8), "a.png", item=7)


def reading(labels, **options):
    share = 1 / len(labels.names)
    return Reading(
        source="a.png",
        box=(1, 2, 3, 4),
        score=0.5,
        emotion=labels.names[0],
        probabilities=dict.fromkeys(labels.names, share),
        item=7,
        **options,
    )


def written(table):
    return pq.ParquetFile(io.BytesIO(table.content()))


def test_columns_are_those_of_the_csv_table_with_item_and_error():
    source, *others = csv_columns(FER2013)
    assert PartTable(FER2013).columns == [source, "item", *others, "error"]


def test_faces_pictures_without_any_and_errors_are_rows():
    table = PartTable(FER2013)
    assert table.add(FRAME, [reading(FER2013), reading(FER2013)], if_empty=True) == 2
    assert table.add(FRAME, [], if_empty=True) == 1
    assert table.add(FRAME, [], if_empty=False) == 0
    table.add_error("b.png", 8, "damaged")
    table.counts.pictures = 3
    file = written(table)
    rows = file.read().to_pylist()
    assert [(row["item"], row["emotion"], row["error"]) for row in rows] == [
        (7, "angry", None),
        (7, "angry", None),
        (7, None, None),
        (8, None, "damaged"),
    ]
    assert (rows[0]["left"], rows[0]["bottom"], rows[0]["uncertain"]) == (1, 4, False)
    assert rows[0]["happy"] == pytest.approx(1 / 7)
    assert read_counts(file.metadata) == Counts(pictures=3, faces=2)


def test_a_class_that_is_called_as_a_column_keeps_its_own_column():
    labels = LabelSet(("error", "item", "source"))
    table = PartTable(labels)
    table.add(FRAME, [reading(labels)], if_empty=True)
    (row,) = written(table).read().to_pylist()
    assert (row["source"], row["item"], row["error"]) == ("a.png", 7, None)
    names = ("probability error", "probability item", "probability source")
    assert [row[name] for name in names] == [pytest.approx(1 / 3)] * 3


def test_many_rows_are_written_as_they_come():
    table = PartTable(FER2013)
    for _ in range(20_001):
        table.add_error("a", 0, "x")
    file = written(table)
    assert file.metadata.num_rows == 20_001
    assert file.metadata.num_row_groups == 2


def test_a_file_of_something_else_has_no_counts():
    with pytest.raises(ValueError, match=r"no b'mien\.pictures' in its metadata"):
        read_counts(pq.ParquetFile(io.BytesIO(_other())).metadata)


def _other():
    import pyarrow as pa

    file = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), file)
    return file.getvalue()
