"""What every layout that can be written must do; the cases come from the registry."""

from __future__ import annotations

import mmap
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.data import FaceDataset, load_dataset
from mien.data.formats.base import FORMATS, writable_layouts
from mien.data.load import find_source
from mien.data.write import write_dataset
from mien.errors import MienError
from mien.images.crop import CropSpec
from mien.io import mapped
from mien.labels import BUILT_IN, FER2013, LabelSet


@pytest.fixture(params=writable_layouts())
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


@pytest.mark.parametrize("layout", FORMATS.names())
def test_it_declares_what_it_expects_and_a_place_of_its_own(layout):
    kind = FORMATS[layout]
    assert kind.expects
    assert [one.order for one in FORMATS.all().values()].count(kind.order) == 1
    assert kind.suffix == "" or kind.suffix.startswith(".")


def test_it_remembers_that_faces_are_drawn(faces, layouts, layout, tmp_path):
    for loaded in (load_dataset(layouts[layout], use_cache=cached) for cached in (False, True)):
        assert loaded.drawn == FORMATS[layout].keeps_drawn
        assert loaded.fingerprint == faces.fingerprint
    write_dataset(replace(faces, drawn=False), tmp_path / name_of(layout), layout)
    assert not load_dataset(tmp_path / name_of(layout)).drawn


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


SETS = {
    "fer2013": FER2013,
    "own": LabelSet(("very bad", "7", "gut-ä")),
    "ferplus": BUILT_IN["ferplus"],
}
CROPS = {"gray": CropSpec(), "colour": CropSpec(64, 3)}


def made(labels: LabelSet, crop: CropSpec, count: int = 48) -> FaceDataset:
    """Images of noise, every class in every split."""
    images = np.random.default_rng(0).integers(0, 256, (count, *crop.shape), np.uint8)
    return FaceDataset(
        images=images,
        labels=np.arange(count) % len(labels),
        splits=np.repeat(["train", "val", "test"], count // 3),
        ids=np.arange(count).astype(str),
        label_set=labels,
        crop=crop,
    )


@pytest.mark.parametrize("crop", CROPS.values(), ids=CROPS)
@pytest.mark.parametrize("labels", SETS.values(), ids=SETS)
def test_any_classes_and_crops_come_back_to_the_bit(layout, labels, crop, tmp_path):
    dataset, path = made(labels, crop), tmp_path / name_of(layout)
    if crop.channels == 3 and not FORMATS[layout].keeps_colour:
        with pytest.raises(MienError, match=f"the layout {layout} stores gray pixels"):
            write_dataset(dataset, path, layout)
        assert not path.exists()
        return
    write_dataset(dataset, path, layout)
    options = {"size_px": crop.size_px, "channels": crop.channels}
    loaded = load_dataset(path, labels=labels, **options)
    assert_same(loaded, dataset)
    assert (loaded.label_set, loaded.crop) == (labels, crop)
    assert loaded.split_rule == "as the files say"
    found = load_dataset(path, labels="auto", **options)  # the same classes in another order
    assert {found.names[label] for label in found.labels} == (
        set(labels.names) if labels != FER2013 or layout != "csv" else set("0123456")
    )
    np.testing.assert_array_equal(found.images, dataset.images)


def test_votes_and_the_labels_made_of_them_come_back(layout, tmp_path):
    dataset, path = made(SETS["ferplus"], CropSpec()), tmp_path / name_of(layout)
    votes = np.zeros((len(dataset), 10), np.int8)
    votes[np.arange(len(dataset)), dataset.labels] = 7  # FER+ counts them in the order of the set
    write_dataset(replace(dataset, votes=votes), path, layout)
    loaded = load_dataset(path, labels="ferplus")
    assert_same(loaded, dataset)
    assert (loaded.votes is not None) == FORMATS[layout].keeps_votes


def test_a_large_data_set_is_read_and_written_a_part_at_a_time(layout, tmp_path, monkeypatch):
    crop = CropSpec(64, 3 if FORMATS[layout].keeps_colour else 1)
    dataset, path = made(FER2013, crop, 600), tmp_path / name_of(layout)
    write_dataset(dataset, path, layout)
    monkeypatch.setattr(mapped, "IN_MEMORY_BYTES", 100_000)
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    loaded = load_dataset(path, size_px=64, channels=crop.channels)
    assert_same(loaded, dataset)
    pooled = load_dataset(path, size_px=64, channels=crop.channels, fractions=(0.5, 0.25, 0.25))
    assert isinstance(pooled.images.base, mmap.mmap | np.memmap)
    order = [loaded.rows.tolist().index(row) for row in pooled.rows.tolist()]
    np.testing.assert_array_equal(pooled.images, loaded.images[order])


@pytest.mark.parametrize("layout", sorted({*FORMATS.names()} - {*writable_layouts()}))
def test_a_layout_that_can_only_be_read_says_so(faces, layout, tmp_path):
    with pytest.raises(MienError, match=f"the layout {layout} can only be read; choose csv or"):
        write_dataset(faces, tmp_path / "new", layout)
    assert list(tmp_path.iterdir()) == []


def test_writing_is_all_or_nothing(faces, layout, tmp_path, monkeypatch):
    write = FORMATS[layout].write

    def fail_at_the_end(self, dataset, path):
        write(self, dataset, path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FORMATS[layout], "write", fail_at_the_end)
    with pytest.raises(MienError, match="No space left"):
        write_dataset(faces, tmp_path / name_of(layout), layout)
    assert list(tmp_path.iterdir()) == []


def test_a_class_whose_name_is_like_a_formula_is_kept_and_none_for_a_spreadsheet(
    faces, layout, tmp_path
):
    names = ("=sum(a)", "+plus", "-minus", "@at", "plain", "'quoted", "'=both")
    labels = LabelSet(names)
    path = tmp_path / name_of(layout)
    write_dataset(replace(faces, label_set=labels), path, layout)
    loaded = load_dataset(path, labels=labels)
    assert_same(loaded, replace(faces, label_set=labels))
    tables = [path] if path.suffix == ".csv" else path.glob("*.csv") if path.is_dir() else []
    for table in tables:
        for line in table.read_text(encoding="utf-8").splitlines():
            assert not any(cell.startswith(("=", "+", "-", "@")) for cell in line.split(","))
