"""The pictures of each kind of part, and those that cannot be read."""

from __future__ import annotations

import pytest
from tests.batch.made import DAMAGED, pngs, write_parquet, write_photos, write_shard

from mien.batch.pictures import Pictures
from mien.batch.plan import make_plan


def open_pictures(source, *, before=None, max_pixels=10**8):
    (part,) = make_plan([str(source)], column="image", part_pictures=1000).parts
    return Pictures(part, column="image", max_pixels=max_pixels, before=before)


def read(source, **options):
    """Return the items that were read, and the failures."""
    pictures = open_pictures(source, **options)
    return [frame.item for frame in pictures], list(pictures.failed), pictures


def test_a_damaged_photo_is_a_failure_between_the_others(tmp_path):
    write_photos(tmp_path, 4)
    (tmp_path / "0002.png").write_bytes(DAMAGED)
    items, failed, pictures = read(tmp_path)
    assert items == [0, 2, 3]
    assert [(one.item, one.name, one.is_partial) for one in failed] == [
        (1, str(tmp_path / "0002.png"), False)
    ]
    assert pictures.pictures == 4


def test_a_photo_that_is_cut_off_is_read_and_a_failure(tmp_path):
    import cv2
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    items, (failure,), _ = read(tmp_path)
    assert items == [0]
    assert failure.is_partial
    assert "cut off" in failure.error


@pytest.mark.parametrize("as_struct", [True, False])
def test_rows_of_a_parquet_file_are_read_one_by_one(tmp_path, as_struct):
    cells = pngs(5)
    cells[1] = DAMAGED
    cells[3] = None
    path = write_parquet(tmp_path / "a.parquet", cells, group=2, as_struct=as_struct)
    items, failed, _ = read(path)
    assert items == [0, 2, 4]
    assert [(one.item, one.name) for one in failed] == [(1, str(path)), (3, str(path))]
    assert failed[1].error == f"{path}: row 4 holds no image, expected the bytes of an image file"


def test_a_parquet_file_that_is_no_image_file_is_rows_of_errors(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", ["text", "more"])
    items, failed, _ = read(path)
    assert items == []
    assert failed[0].error.startswith(f"{path}: row 1 holds a str, expected the bytes")
    assert len(failed) == 2


def test_a_parquet_file_that_breaks_off_has_a_row_for_each_of_its_rows(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", pngs(40), group=20)
    pictures = open_pictures(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 6000] = bytes(6000)  # in the second group
    path.write_bytes(content)
    items = [frame.item for frame in pictures]
    assert sorted([*items, *(one.item for one in pictures.failed)]) == list(range(40))
    assert 0 < len(items) < 40


def test_a_shard_has_pictures_and_other_members(tmp_path):
    content = pngs(2)
    path = write_shard(
        tmp_path / "a.tar",
        {"0.png": content[0], "0.json": b"{}", "1.png": DAMAGED, "2.png": content[1]},
    )
    items, (failure,), pictures = read(path)
    assert items == [0, 2]
    assert (failure.item, failure.name) == (1, f"{path}/1.png")
    assert (pictures.pictures, pictures.other_members) == (3, 1)


def test_a_shard_that_breaks_off_has_a_row_for_its_end(tmp_path):
    path = write_shard(tmp_path / "a.tar", {f"{n}.png": one for n, one in enumerate(pngs(20))})
    path.write_bytes(path.read_bytes()[:9000])
    items, (failure,), _ = read(path)
    assert items == list(range(len(items)))
    assert items
    assert failure.name == str(path)
    assert f"cannot be read after {len(items)} pictures" in failure.error


def test_a_file_that_is_gone_is_a_failure(tmp_path):
    write_photos(tmp_path, 2)
    pictures = open_pictures(tmp_path)
    (tmp_path / "0000.png").unlink()
    assert [frame.item for frame in pictures] == [1]
    assert pictures.failed[0].error.endswith("cannot be read (No such file or directory)")


def test_a_picture_that_is_too_large_is_not_decoded(tmp_path):
    write_photos(tmp_path, 2)
    items, failed, _ = read(tmp_path, max_pixels=100)
    assert items == []
    assert "more than the limit" in failed[0].error


def test_pictures_are_announced_one_by_one_where_it_is_asked_for(tmp_path):
    write_photos(tmp_path, 3)
    seen = []

    def before(item):
        seen.append(item)
        return "left out" if item == 1 else ""

    pictures = open_pictures(tmp_path, before=before)
    assert not pictures.reads_ahead
    assert [frame.item for frame in pictures] == [0, 2]
    assert seen == [0, 1, 2]
    assert pictures.failed[0].error.endswith("left out")
