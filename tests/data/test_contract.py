"""What every loader must do, whichever layout the faces are stored in."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from mien.data import FaceDataset, load_dataset
from mien.errors import DataError, MienError

LAYOUTS = ("csv", "folders", "parquet")


@pytest.fixture(params=LAYOUTS)
def layout(request) -> str:
    return request.param


def assert_same(left: FaceDataset, right: FaceDataset) -> None:
    np.testing.assert_array_equal(left.images, right.images)
    np.testing.assert_array_equal(left.labels, right.labels)
    np.testing.assert_array_equal(left.splits, right.splits)
    assert left.fingerprint == right.fingerprint


def test_every_layout_gives_the_same_faces_to_the_bit(faces, layouts, layout):
    loaded = load_dataset(layouts[layout])
    assert loaded.layout == layout
    assert loaded.split_rule == "as the files say"
    assert_same(loaded, faces)


def test_pooled_splits_are_the_same_in_every_layout(layouts):
    first, *others = (
        load_dataset(layouts[layout], fractions=(0.5, 0.25, 0.25), seed=3) for layout in LAYOUTS
    )
    assert "pooled" in first.split_rule
    for other in others:
        assert_same(first, other)


def test_the_cache_gives_what_reading_gives(layouts, layout):
    read = load_dataset(layouts[layout], use_cache=False)
    load_dataset(layouts[layout])
    cached = load_dataset(layouts[layout])
    assert isinstance(cached.images.base, np.memmap) or isinstance(cached.images, np.memmap)
    assert_same(read, cached)
    np.testing.assert_array_equal(read.ids, cached.ids)


def test_arrays_refuse_writes(layouts, layout):
    loaded = load_dataset(layouts[layout])
    for array in (loaded.images, loaded.labels, loaded.splits, loaded.train.images):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


def test_ids_name_every_image_once(layouts, layout):
    ids = load_dataset(layouts[layout]).ids
    assert len(set(ids.tolist())) == len(ids)


def test_a_changed_source_is_read_again(layouts, layout, tmp_path):
    path = tmp_path / layouts[layout].name
    copy = shutil.copytree if layouts[layout].is_dir() else shutil.copy
    copy(layouts[layout], path)
    before = load_dataset(path)
    if layout == "folders":
        next(path.rglob("*.png")).unlink()
        assert len(load_dataset(path)) == len(before) - 1
    elif layout == "csv":
        text = path.read_text().splitlines()
        path.write_text("\n".join(text[:-1]) + "\n")
        assert len(load_dataset(path)) == len(before) - 1
    else:
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(DataError, match="cannot be read as Parquet"):
            load_dataset(path)


def test_an_unwritable_cache_is_no_error(faces, layouts, layout, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "file" / "below"))
    assert_same(load_dataset(layouts[layout]), faces)


@pytest.mark.parametrize("name", ["images.npy", "rows.json"])
@pytest.mark.parametrize("content", [b"", b"null", b"\x93NUMPY"])
def test_a_damaged_cache_is_made_anew(faces, layouts, layout, tmp_path, monkeypatch, name, content):
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    load_dataset(layouts[layout])
    (damaged,) = tmp_path.rglob(name)
    damaged.write_bytes(content)
    assert_same(load_dataset(layouts[layout]), faces)
    assert damaged.read_bytes() != content


def test_nobodys_home_is_said():
    with pytest.raises(MienError, match="no such user"):
        load_dataset("~nobody-of-that-name/fer2013.csv")


def test_no_rows_can_be_taken(faces):
    assert len(faces.take(np.array([], np.intp))) == 0


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda _: None, "no such file or folder"),
        (lambda p: p.write_bytes(b""), "not a known layout"),
        (lambda p: p.write_bytes(b"PK\x03\x04zip"), "unzip it"),
        (lambda p: p.write_bytes(b"\x89PNG\r\n"), "not a known layout"),
        (lambda p: p.mkdir(), "no emotion folder"),
    ],
)
def test_what_is_no_data_set_is_said(tmp_path, make, expected):
    path = tmp_path / "data"
    make(path)
    with pytest.raises(DataError, match=expected):
        load_dataset(path)


def test_a_folder_of_several_csvs_is_ambiguous(layouts, tmp_path):
    for name in ("a.csv", "b.csv"):
        shutil.copy(layouts["csv"], tmp_path / name)
    with pytest.raises(DataError, match=r"2 CSV files \(a.csv, b.csv\)"):
        load_dataset(tmp_path)


def test_a_folder_with_one_csv_is_that_csv(faces, layouts, tmp_path):
    shutil.copy(layouts["csv"], tmp_path / "fer2013.csv")
    assert_same(load_dataset(tmp_path), faces)
