"""Nothing in the folder of a data set is left out without a line that says so."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from mien.data import load_dataset
from mien.data.formats.base import writable_layouts

GRAY = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)


def put(path, image=GRAY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


@pytest.fixture(params=writable_layouts())
def folder(request, layouts, tmp_path):
    """A folder that holds a data set, in every layout."""
    source, root = layouts[request.param], tmp_path / "data"
    if source.is_dir():
        shutil.copytree(source, root)
    else:
        root.mkdir()
        shutil.copy(source, root)
    return root


def test_of_a_data_set_alone_nothing_is_said(folder):
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "desktop.ini").write_bytes(b"x")
    put(folder / "__MACOSX" / "happy" / "._1.png")
    dataset = load_dataset(folder)
    assert dataset.notes == ()
    assert dataset.skipped == ()


def test_files_that_no_layout_reads_are_named(folder):
    for name in ("fer2013new.xlsx", "b.parquet.txt", "more/list.npy"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\0")
    notes = " ".join(load_dataset(folder).notes)
    assert "3 other files were not read (b.parquet.txt, fer2013new.xlsx, more/list.npy)" in notes


def test_images_that_no_file_names_are_counted_or_refused(folder, layouts):
    put(folder / "more" / "1.png")
    put(folder / "more" / "2.jfif")
    if (folder / "train").is_dir():  # class folders: an image of no class is an error
        assert len(load_dataset(folder, skip_bad=True).skipped) == 2
        return
    notes = " ".join(load_dataset(folder).notes)
    assert (
        "2 image files were left out, since no file of the data set names them (more/1.png, "
        in notes
    )


def test_the_notes_are_of_now_in_spite_of_the_cache(folder):
    assert load_dataset(folder).notes == ()
    (folder / "README").write_text("x")
    assert "README" in load_dataset(folder).notes[0]
    (folder / "README").unlink()
    assert load_dataset(folder).notes == ()


def test_shards_that_are_not_there_are_counted(layouts, tmp_path):
    for name in ("train-00000-of-00003", "train-00002-of-00003", "test-00000-of-00001"):
        shutil.copy(layouts["parquet"], tmp_path / f"{name}.parquet")
    notes = load_dataset(tmp_path).notes
    assert notes == ("only 2 of the 3 Parquet files of train are read (train-NUMBER-of-00003)",)


def test_images_beside_jaffes_are_counted(tmp_path):
    put(tmp_path / "KA.AN1.39.tiff")
    put(tmp_path / "KA.HA1.29.png")
    put(tmp_path / "more" / "KA.SA1.33.png")
    dataset = load_dataset(tmp_path)
    assert dataset.layout == "jaffe"
    assert any("more/KA.SA1.33.png" in note for note in dataset.notes)
