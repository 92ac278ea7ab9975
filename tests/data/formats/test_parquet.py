from __future__ import annotations

import json

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.data import load_dataset
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.errors import DataError

FACES = synthetic_faces(14, seed=2)
PNGS = [cv2.imencode(".png", image)[1].tobytes() for image in FACES.images]


def write(path, metadata=None, **columns):
    table = {"image": [{"bytes": png, "path": None} for png in PNGS], "label": [3] * 14, **columns}
    pq.write_table(pa.table(table).replace_schema_metadata(metadata), path)


def test_labels_follow_the_names_that_hugging_face_wrote(tmp_path):
    """Its image folders number the classes alphabetically, so 3 is happy only by chance."""
    names = ["fear", "happiness", "anger", "sad"]
    features = {"info": {"features": {"label": {"names": names}}}}
    write(tmp_path / "train.parquet", {"huggingface": json.dumps(features)}, label=[2] * 14)
    assert set(load_dataset(tmp_path).labels.tolist()) == {0}


def test_the_files_names_tell_the_split_where_no_column_does(tmp_path):
    for name in ("train-00000-of-00001", "validation-00000-of-00001", "test-00000-of-00001"):
        write(tmp_path / f"{name}.parquet")
    assert load_dataset(tmp_path).split_counts() == {"train": 14, "val": 14, "test": 14}
    named = load_dataset(*sorted(tmp_path.glob("t*.parquet")))
    assert set(named.split_counts()) == {"train", "val", "test"}  # a tenth of train is held out


def test_votes_come_along(tmp_path):
    votes = [[i, *[0] * 9] for i in range(13)] + [None]
    write(tmp_path / "train.parquet", ferplus=pa.array(votes, pa.list_(pa.int8())))
    dataset = load_dataset(tmp_path)
    assert dataset.votes is not None
    assert sorted(dataset.votes[:, 0].tolist()) == [0, *range(13)]
    write_dataset(dataset, tmp_path / "again" / "faces.parquet", "parquet")
    again = load_dataset(tmp_path / "again")
    np.testing.assert_array_equal(again.votes, dataset.votes)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"label": [9] * 14}, "row 1 has the unknown label '9'"),
        ({"usage": ["nowhere"] * 14}, "row 1 has the Usage 'nowhere', expected Training"),
        ({"image": [{"bytes": b"x", "path": None}] * 14}, "row 1: .*cannot be decoded"),
        ({"image": [{"bytes": b"", "path": "x.png"}] * 14}, "row 1: the file is empty"),
        ({"label": ["1" * 5000] * 14}, "row 1 has the unknown label"),
        ({"ferplus": [[1, 2, 3]] * 14}, "row 1 has the votes"),
        ({"ferplus": [[300, *[0] * 9]] * 14}, "row 1 has the votes"),
        ({"ferplus": [[None, *[0] * 9]] * 14}, "row 1 has the votes"),
    ],
)
def test_a_bad_row_is_named_or_skipped(tmp_path, columns, expected):
    write(tmp_path / "train.parquet", **columns)
    with pytest.raises(DataError, match=expected):
        load_dataset(tmp_path)
    with pytest.raises(DataError, match="no usable rows"):
        load_dataset(tmp_path, skip_bad=True)


@pytest.mark.parametrize("column", [["text"] * 14, [[1.0, 2.0]] * 14, [None] * 14])
def test_a_column_of_another_kind_is_named(tmp_path, column):
    write(tmp_path / "train.parquet", image=column)
    with pytest.raises(DataError, match="the column 'image' holds"):
        load_dataset(tmp_path, skip_bad=True)


@pytest.mark.parametrize("column", [[3] * 14, [[0.8, 0.2, *[0.0] * 8]] * 14])
def test_votes_are_counts(tmp_path, column):
    write(tmp_path / "train.parquet", ferplus=column)
    with pytest.raises(DataError, match=r"'ferplus' holds .*, expected a list of 10 vote counts"):
        load_dataset(tmp_path, skip_bad=True)


def test_a_column_of_no_votes_is_none(tmp_path):
    write(tmp_path / "train.parquet", ferplus=[None] * 14)
    assert not load_dataset(tmp_path).votes.any()


def test_labels_beyond_the_names_are_refused(tmp_path):
    features = {"info": {"features": {"label": {"names": ["sad", "happy"]}}}}
    write(tmp_path / "train.parquet", {"huggingface": json.dumps(features)}, label=[2] * 14)
    with pytest.raises(DataError, match=r"row 1 has the label 2, expected 0 to 1 \(sad, happy\)"):
        load_dataset(tmp_path)


def test_damaged_pages_are_named(tmp_path):
    path = tmp_path / "train.parquet"
    write(path)
    content = bytearray(path.read_bytes())
    content[40:4000] = bytes(3960)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train.parquet: (row|cannot be read)"):
        load_dataset(path)


def test_what_other_programs_leave_is_no_data(tmp_path):
    write(tmp_path / "train.parquet")
    (tmp_path / "._train.parquet").write_bytes(b"finder")
    write(tmp_path / ".faces.parquet.abcd1234.parquet")
    assert len(load_dataset(tmp_path)) == 14


def test_a_file_named_twice_counts_once(tmp_path):
    write(tmp_path / "train.parquet")
    with pytest.raises(DataError, match="given twice"):
        load_dataset(tmp_path / "train.parquet", tmp_path / ".." / tmp_path.name / "train.parquet")


def test_a_missing_column_is_named(tmp_path):
    pq.write_table(pa.table({"images": [1], "label": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"no column 'image' \(did you mean 'images'\?\)"):
        load_dataset(tmp_path)


def test_rows_go_on_from_one_file_to_the_next(tmp_path):
    write(tmp_path / "train.parquet")
    write(tmp_path / "test.parquet", label=[4] * 13 + [9])  # read first, its last row is bad
    dataset = load_dataset(tmp_path, skip_bad=True, make_val=False)
    assert dataset.train.rows.tolist() == list(range(15, 29))
    assert dataset.test.rows.tolist() == list(range(1, 14))
    assert dataset.train.ids[0] == "train.parquet: row 1"


def test_several_paths_that_are_no_parquet_files_are_refused(layouts, tmp_path):
    write(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"and 1 more: not a known layout, expected .* Parquet"):
        load_dataset(tmp_path / "train.parquet", layouts["csv"])


def test_a_truncated_file_is_an_error_in_spite_of_the_cache(tmp_path):
    path = tmp_path / "train.parquet"
    write(path)
    assert len(load_dataset(path)) == 14
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        load_dataset(path)


def test_columns_that_could_be_read_as_well_are_named(tmp_path):
    write(tmp_path / "train.parquet", emotion=["happy"] * 14)
    assert (
        "train.parquet: the labels come from the column 'label', not from 'emotion'"
    ) in load_dataset(tmp_path / "train.parquet").notes


def test_files_in_capitals_are_found(tmp_path):
    write(tmp_path / "TRAIN.PARQUET")
    assert len(load_dataset(tmp_path)) == 14
