"""What every layout must do; the cases come from the registry."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.data import FaceDataset, load_dataset
from mien.data.formats.base import FORMATS
from mien.data.load import find_source
from mien.data.write import write_dataset
from mien.errors import MienError


@pytest.fixture(params=FORMATS.names())
def layout(request) -> str:
    return request.param


def name_of(layout: str) -> str:
    return f"data{FORMATS[layout].suffix}"


def assert_same(left: FaceDataset, right: FaceDataset) -> None:
    np.testing.assert_array_equal(left.images, right.images)
    np.testing.assert_array_equal(left.labels, right.labels)
    np.testing.assert_array_equal(left.splits, right.splits)
    assert left.fingerprint == right.fingerprint


def test_it_is_recognized_by_itself_alone(layouts, layout):
    assert find_source(layouts[layout]).layout == layout
    known = {name: FORMATS[name]().sniff([layouts[layout]]) for name in before(layout)}
    assert not any(known.values()), known


def before(layout: str) -> list[str]:
    """The formats that are asked before this one."""
    return [name for name, kind in FORMATS.all().items() if kind.order < FORMATS[layout].order]


def test_it_declares_what_it_expects_and_a_place_of_its_own(layout):
    kind = FORMATS[layout]
    assert kind.expects
    assert [one.order for one in FORMATS.all().values()].count(kind.order) == 1
    assert kind.suffix == "" or kind.suffix.startswith(".")


def test_it_gives_the_same_faces_to_the_bit(faces, layouts, layout):
    loaded = load_dataset(layouts[layout])
    assert loaded.layout == layout
    assert loaded.split_rule == "as the files say"
    assert_same(loaded, faces)


def test_pooled_splits_are_the_same_in_every_layout(faces, layouts, layout):
    shares = {"fractions": (0.5, 0.25, 0.25), "seed": 3}
    pooled = load_dataset(layouts[layout], **shares)
    assert "pooled" in pooled.split_rule
    assert_same(pooled, load_dataset(layouts["csv"], **shares))
    assert (pooled.splits != faces.splits).any()


def test_the_cache_gives_what_reading_gives(layouts, layout):
    read = load_dataset(layouts[layout], use_cache=False)
    load_dataset(layouts[layout])
    cached = load_dataset(layouts[layout])
    assert isinstance(cached.images.base, np.memmap) or isinstance(cached.images, np.memmap)
    assert_same(read, cached)
    np.testing.assert_array_equal(read.ids, cached.ids)
    np.testing.assert_array_equal(read.rows, cached.rows)


def test_arrays_refuse_writes(layouts, layout):
    loaded = load_dataset(layouts[layout])
    arrays = (loaded.images, loaded.labels, loaded.splits, loaded.rows, loaded.train.images)
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


def test_ids_and_rows_name_every_image_once(layouts, layout):
    loaded = load_dataset(layouts[layout])
    assert len(set(loaded.ids.tolist())) == len(loaded)
    assert loaded.rows.dtype == np.int64
    assert sorted(loaded.rows.tolist()) == list(range(1, len(loaded) + 1))


def test_ids_and_rows_follow_their_images(layouts, layout):
    loaded = load_dataset(layouts[layout])
    pooled = load_dataset(layouts[layout], fractions=(0.5, 0.25, 0.25))
    position = {row: at for at, row in enumerate(loaded.rows.tolist())}
    order = np.array([position[row] for row in pooled.rows.tolist()])
    assert (order != np.arange(len(loaded))).any()
    np.testing.assert_array_equal(loaded.images[order], pooled.images)
    np.testing.assert_array_equal(loaded.ids[order], pooled.ids)


def test_a_changed_source_is_read_again(faces, layout, tmp_path):
    path = tmp_path / name_of(layout)
    write_dataset(faces, path, layout)
    assert_same(load_dataset(path), faces)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    fewer = faces.take(np.arange(len(faces) - 1))
    write_dataset(fewer, path, layout)
    assert_same(load_dataset(path), fewer)


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


def test_votes_are_kept_where_there_is_a_place_for_them(faces, layout, tmp_path):
    votes = np.random.default_rng(0).integers(0, 11, (len(faces), 10)).astype(np.int8)
    votes[3] = 0
    path = tmp_path / name_of(layout)
    write_dataset(replace(faces, votes=votes), path, layout)
    loaded = load_dataset(path)
    if FORMATS[layout].keeps_votes:
        np.testing.assert_array_equal(loaded.votes, votes)
    else:
        assert loaded.votes is None


def test_a_file_ends_as_the_format_says(layouts, layout):
    path: Path = layouts[layout]
    assert path.is_dir() == (FORMATS[layout].suffix == "")
    assert path.suffix == FORMATS[layout].suffix


def test_writing_is_all_or_nothing(faces, layout, tmp_path, monkeypatch):
    write = FORMATS[layout].write

    def fail_at_the_end(self, dataset, path):
        write(self, dataset, path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FORMATS[layout], "write", fail_at_the_end)
    with pytest.raises(MienError, match="No space left"):
        write_dataset(faces, tmp_path / name_of(layout), layout)
    assert list(tmp_path.iterdir()) == []
