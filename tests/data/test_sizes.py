"""Sizes of the image files of a data set."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.data import load_dataset
from mien.data.formats.base import FORMATS, Format, writable_layouts
from mien.data.sizes import read_sizes
from mien.errors import DataError


@pytest.mark.parametrize("layout", writable_layouts())
def test_sizes_of_every_layout_that_keeps_image_files(layouts, layout):
    sizes = read_sizes(load_dataset(layouts[layout]), layouts[layout])
    assert sizes == ([(48, 48)] * 280 if FORMATS[layout].keeps_image_files else None)


def test_sizes_of_files_are_their_own_and_of_no_file_that_was_left_out(tmp_path):
    for name, (width, height) in {"1.png": (60, 80), "2.jpg": (33, 20)}.items():
        (tmp_path / "happy").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "happy" / name), np.zeros((height, width), np.uint8))
    (tmp_path / "happy" / "3.png").write_bytes(b"no image")
    dataset = load_dataset(tmp_path, skip_bad=True)
    assert sorted(read_sizes(dataset, tmp_path)) == [(33, 20), (60, 80)]
    (tmp_path / "happy" / "1.png").unlink()
    with pytest.raises(DataError, match=r"1\.png: cannot be read"):
        read_sizes(dataset, tmp_path)


def test_sizes_in_several_parquet_files_without_rows_that_were_left_out(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    def png(width, height):
        return cv2.imencode(".png", np.zeros((height, width), np.uint8))[1].tobytes()

    tables = {"train.parquet": [png(60, 80), b"none"], "test.parquet": [png(33, 20)]}
    for name, contents in tables.items():
        table = pa.table({"image": contents, "label": ["happy"] * len(contents)})
        parquet.write_table(table, tmp_path / name)
    dataset = load_dataset(tmp_path, skip_bad=True, make_val=False)
    assert dataset.splits.tolist() == ["train", "test"]  # test.parquet is read first
    assert read_sizes(dataset, tmp_path) == [(60, 80), (33, 20)]
    assert read_sizes(dataset, [tmp_path / name for name in tables]) == [(60, 80), (33, 20)]
    (tmp_path / "train.parquet").unlink()
    with pytest.raises(DataError, match=r"have changed since it was loaded \(rows missing: 1\)"):
        read_sizes(dataset, tmp_path)


def test_a_format_that_keeps_image_files_has_to_read_their_sizes():
    with pytest.raises(TypeError, match="Sizeless keeps image files, so it has to define"):
        type("Sizeless", (Format,), {"keeps_image_files": True})
