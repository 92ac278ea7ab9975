"""Mutated tables, lists and folders of faces: loaded, or refused with one line."""

from __future__ import annotations

import gzip
import shutil
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.fuzz.harness import fuzz, memory_folder

_SIDE_PX = 24
_VOTES = (
    b"Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    b"Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\nPublicTest,,0,0,0,0,0,0,0,0,0,10\n"
)


def data_csv(data: bytes) -> None:
    """Load a CSV, with bad rows left out."""
    from mien.data import load_dataset

    path = memory_folder() / "faces.csv"
    path.write_bytes(data)
    load_dataset(path, use_cache=False, skip_bad=True, size_px=_SIDE_PX)


def data_csv_strict(data: bytes) -> None:
    """Load a CSV of whatever classes, to the first bad row."""
    from mien.data import load_dataset

    path = memory_folder() / "faces.csv"
    path.write_bytes(data)
    load_dataset(path, use_cache=False, labels="auto", size_px=_SIDE_PX)


def data_gzip(data: bytes) -> None:
    """Load a gzipped CSV."""
    from mien.data import load_dataset

    path = memory_folder() / "faces.csv.gz"
    path.write_bytes(data)
    load_dataset(path, use_cache=False, skip_bad=True, size_px=_SIDE_PX)


def data_votes(data: bytes) -> None:
    """Read FER+'s votes."""
    from mien.data.votes import read_votes

    path = memory_folder() / "votes.csv"
    path.write_bytes(data)
    read_votes(path)


def data_list(data: bytes) -> None:
    """Load a list of image files."""
    from mien.data import load_dataset

    path = _images() / "list.csv"
    path.write_bytes(data)
    load_dataset(path, use_cache=False, skip_bad=True, labels="auto")


def data_rafdb(data: bytes) -> None:
    """Load RAF-DB's list."""
    from mien.data import load_dataset

    path = _images() / "list_patition_label.txt"
    path.write_bytes(data)
    load_dataset(_images(), use_cache=False, skip_bad=True, labels="rafdb")


def data_folders(data: bytes) -> None:
    """Load a folder of files with these paths, one a line."""
    from mien.data import load_dataset
    from mien.data.sizes import read_sizes

    root = memory_folder() / "folders"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for line in data.replace(b"\0", b"").split(b"\n")[:20]:
        parts = [part[:255] for part in line.split(b"/") if part not in (b"", b".", b"..")][:6]
        path = Path(root, *(part.decode("utf-8", "surrogateescape") for part in parts))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_png())
        except OSError:  # a folder has that name
            continue
    dataset = load_dataset(root, use_cache=False, skip_bad=True, labels="auto")
    read_sizes(dataset, root)


def data_parquet(data: bytes) -> None:
    """Load a Parquet file."""
    from mien.data import load_dataset

    path = memory_folder() / "faces.parquet"
    path.write_bytes(data)
    load_dataset(path, use_cache=False, skip_bad=True, size_px=_SIDE_PX)


@cache
def _png() -> bytes:
    image = np.arange(_SIDE_PX**2, dtype=np.uint8).reshape(_SIDE_PX, _SIDE_PX)
    return cv2.imencode(".png", image)[1].tobytes()


@cache
def _images() -> Path:
    root = memory_folder() / "listed"
    root.mkdir()
    for name in ("a.png", "b.png", "train_1_aligned.png", "test_2_aligned.png"):
        (root / name).write_bytes(_png())
    return root


def table() -> bytes:
    """Three rows of the smallest size, of which each class and split is one."""
    pixels = " ".join(str(number % 256) for number in range(_SIDE_PX**2))
    rows = ((3, "Training"), (0, "PublicTest"), (4, "PrivateTest"))
    return ("emotion,pixels,Usage\n" + "".join(f"{a},{pixels},{b}\n" for a, b in rows)).encode()


def parquet() -> list[bytes]:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    made = []
    for compression in ("none", "snappy"):
        columns = {
            "image": [{"bytes": _png(), "path": "a.png"}] * 3,
            "label": [3, 0, 4],
            "usage": ["Training", "PublicTest", "PrivateTest"],
        }
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink, compression=compression)
        made.append(sink.getvalue().to_pybytes())
    return made


LISTS = [
    b"path,label,split\na.png,happy,train\nb.png,sad,test\n",
    b"image\tlabel\na.png\t1\nb.png\t2\n",
]
FOLDERS = [
    b"train/happy/1.png\ntrain/sad/2.png\ntest/happy/3.png\ntest/sad/4.png",
    b"0/a.png\n1/b.png",
    b"x/KA.AN1.39.png\nx/KA.HA2.40.png",
]
WORDS = [b",", b"\n", b"\r", b'"', b"\t", b"Training", b"emotion", b"pixels", b"Usage", b"happy",
         b"99999999999999999999", b"\xff\xfe", b"-1", b"\xef\xbb\xbf"]  # fmt: skip
CASES = [
    (data_csv, lambda: [table()]),
    (data_csv_strict, lambda: [table()]),
    (data_gzip, lambda: [gzip.compress(table(), mtime=0)]),
    (data_votes, lambda: [_VOTES]),
    (data_list, lambda: LISTS),
    (data_rafdb, lambda: [b"train_1.png 1\ntest_2.png 4\n"]),
    (data_folders, lambda: FOLDERS),
    (data_parquet, parquet),
]
RUNS = {"data_csv": 1_000_000}
BOUNDS = {"max_mb": 128, "max_s": 2.0, "max_bytes": 8192, "words": WORDS}


@pytest.mark.parametrize(("target", "made"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_data(target, made, tmp_path: Path) -> None:
    fuzz(target, made(), tmp_path, seconds=1, **BOUNDS)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("target", "made"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_much_data(target, made, tmp_path: Path) -> None:
    runs = RUNS.get(target.__name__, 100_000)
    fuzz(target, made(), tmp_path, seconds=0, runs=runs, **BOUNDS)
