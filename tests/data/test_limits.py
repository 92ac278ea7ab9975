"""What a small file may cost: lines, rows, bytes and cells; and files that cannot be read."""

from __future__ import annotations

import gzip
import os
import struct
from datetime import date

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.memory import at_most, needs_linux

from mien.data import load_dataset
from mien.data.sizes import read_sizes
from mien.data.votes import read_votes
from mien.errors import DataError, MienError
from mien.io.limits import BAD_ROWS, CONTENT_MB, LINE_KB, PIXELS, ROWS

HEADER = "emotion,pixels,Usage\n"
PIXEL_TEXT = " ".join(str(number % 256) for number in range(24 * 24))
ROW = f"3,{PIXEL_TEXT},Training\n"
VOTES = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
)


def load(path, **options):
    return load_dataset(path, use_cache=False, size_px=24, **options)


def png(size=(24, 24)) -> bytes:
    return cv2.imencode(".png", np.zeros((size[1], size[0]), np.uint8))[1].tobytes()


@pytest.mark.parametrize("limit", [PIXELS, CONTENT_MB, LINE_KB, ROWS, BAD_ROWS])
def test_a_limit_says_its_value_and_its_variable_and_is_raised_by_it(limit, monkeypatch):
    monkeypatch.setenv(limit.variable, "5")
    with pytest.raises(DataError, match=f"a.csv: more than 5 {limit.unit}; .* {limit.variable}$"):
        limit.check(6, "a.csv")
    limit.check(5, "a.csv")
    monkeypatch.setenv(limit.variable, "many")
    with pytest.raises(MienError, match=f"{limit.variable}=many: expected a number of"):
        limit.check(6, "a.csv")
    monkeypatch.setenv(limit.variable, "")
    assert limit.value == limit.default


@needs_linux
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "list.csv", "votes.csv"])
def test_a_line_without_end_is_refused_in_little_memory(tmp_path, name):
    path = tmp_path / name
    heads = {"list.csv": "path,label\n", "votes.csv": VOTES}
    content = heads.get(name, HEADER).encode() + b"3," + b"7" * (60 << 20)
    path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    with (
        at_most(40),
        pytest.raises(DataError, match=r"1,024 kB in a line;.*MIEN_MAX_LINE_KB"),
    ):
        read_votes(path) if name == "votes.csv" else load(path)


def test_a_gzip_bomb_ends_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_MAX_MB", "3")
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(HEADER.encode() + b"\n" * (8 << 20)))
    with pytest.raises(DataError, match=r"decompressed: more than 3 MB; raise.*MIEN_MAX_MB"):
        load(path)
    path.write_bytes(gzip.compress((HEADER + ROW * 1000).encode()))
    assert len(load(path)) == 1000


@needs_linux
def test_many_short_bad_rows_end_at_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text(HEADER + ROW + "1\n" * 3_000_000, encoding="utf-8")
    with at_most(150), pytest.raises(DataError, match=r"100,000 rows .* cannot be used; raise"):
        load(path, skip_bad=True)
    monkeypatch.setenv("MIEN_MAX_ROWS", "1000")
    with pytest.raises(DataError, match=r"more than 1,000 rows or images; raise.*MIEN_MAX_ROWS"):
        load(path, skip_bad=True)


def test_the_rows_of_lists_and_folders_are_limited_too(tmp_path, monkeypatch):
    for name in ("happy", "sad"):
        (tmp_path / "folders" / name).mkdir(parents=True)
        (tmp_path / "folders" / name / "1.png").write_bytes(png())
    (tmp_path / "list.csv").write_text("path,label\na.png,1\nb.png,2\n", encoding="utf-8")
    monkeypatch.setenv("MIEN_MAX_ROWS", "1")
    for path in (tmp_path / "folders", tmp_path / "list.csv"):
        with pytest.raises(DataError, match=r"more than 1 rows or images; raise.*MIEN_MAX_ROWS"):
            load(path)


@needs_linux
def test_a_large_image_of_a_few_bytes_is_refused_by_every_layout(tmp_path):
    content = cv2.imencode(".png", np.zeros((11_000, 11_000), np.uint8))[1].tobytes()
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy" / "1.png").write_bytes(content)
    table = write_parquet(tmp_path / "a.parquet", {"image": [content], "label": [1]})
    for path in (tmp_path / "happy" / "..", table):
        with at_most(60), pytest.raises(DataError, match=r"11,000x11,000 pixels.*MIEN_MAX_PIXELS"):
            load(path)


def write_parquet(path, columns, **options):
    pq.write_table(pa.table(columns), path, **options)
    return path


@needs_linux
def test_a_large_cell_of_parquet_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_MAX_MB", "100")
    columns = {"image": [bytes(200 << 20), png()], "label": [1, 2]}
    path = write_parquet(tmp_path / "a.parquet", columns, compression="zstd")
    del columns
    assert path.stat().st_size < 1 << 20
    with at_most(60), pytest.raises(DataError, match="row group 1: more than 100 MB; raise"):
        load(path)


@needs_linux
def test_a_large_cell_that_many_rows_repeat_is_read_a_few_rows_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_MAX_MB", "8")
    image = png() + bytes(4 << 20)
    columns = {"image": [image] * 40, "label": [number % 2 for number in range(40)]}
    path = write_parquet(tmp_path / "a.parquet", columns, dictionary_pagesize_limit=1 << 28)
    with at_most(80):
        assert len(load(path)) == 40


@pytest.mark.parametrize(
    ("label", "column"),
    [
        (b"happy\xff", "label"),
        (date(1, 1, 1), "label"),
        ([[1]], "label"),
    ],
)
def test_a_cell_that_python_cannot_hold_is_a_bad_row(tmp_path, label, column):
    if isinstance(label, bytes):
        offsets = pa.py_buffer(struct.pack("<ii", 0, len(label)))
        cells = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(label))
    elif isinstance(label, date):
        cells = pa.array([2**62], pa.int64()).cast(pa.timestamp("ms"))
    else:
        cells = pa.array([label])
    path = write_parquet(tmp_path / "a.parquet", {"image": [png()], "label": cells})
    for options in ({}, {"skip_bad": True}, {"labels": "auto"}):
        with pytest.raises(DataError, match=r"a\.parquet|a: "):
            load(path, **options)


def test_metadata_that_is_nested_deep_is_one_line(tmp_path):
    table = pa.table({"image": [png()] * 2, "label": ["happy", "sad"]})
    deep = b'{"info":' * 100_000
    pq.write_table(table.replace_schema_metadata({"huggingface": deep}), tmp_path / "a.parquet")
    assert len(load(tmp_path / "a.parquet")) == 2


def test_a_name_that_is_too_long_is_one_line(tmp_path):
    for path in ("a" * 5000, "b/" * 3000, str(tmp_path / ("c" * 300))):
        with pytest.raises(MienError, match=r"…|ccc|aaa"):
            load(path)
        with pytest.raises(MienError):
            read_votes(tmp_path / path)
    listed = tmp_path / "list.csv"
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.png").write_bytes(png())
    rows = f"path,label\n{'x' * 300}.png,happy\na.png,happy\nb.png,sad\n"
    listed.write_text(rows, encoding="utf-8")
    with pytest.raises(DataError, match="File name too long"):
        load(listed)
    assert len(load(listed, skip_bad=True)) == 2


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="a pipe or a device, expected a file or a folder"):
        load(tmp_path / "pipe.csv")
    (tmp_path / "happy").mkdir()
    os.mkfifo(tmp_path / "happy" / "1.png")
    with pytest.raises(DataError, match="not a file"):
        load(tmp_path)


def test_a_file_that_has_become_unreadable_has_no_size(tmp_path):
    for name in ("happy", "sad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(png())
    dataset = load(tmp_path)
    (tmp_path / "sad" / "1.png").unlink()
    (tmp_path / "sad" / "1.png").symlink_to("1.png")  # a loop
    with pytest.raises(DataError):
        read_sizes(dataset, tmp_path)
