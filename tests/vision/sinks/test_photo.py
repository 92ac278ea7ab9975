from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.vision.sinks.made import frame, names, reading

from mien.errors import MienError
from mien.vision.places import SourceFiles
from mien.vision.sinks._drawing import draw_readings
from mien.vision.sinks.photo import PhotoSink


def test_photos_are_saved_with_their_readings(tmp_path):
    shown = frame(source="some/фото.png")
    with PhotoSink(tmp_path / "read.png") as sink:
        sink.add(shown, [reading(shown, track=None)])
    expected = draw_readings(shown.image, [reading(shown, track=None)])
    saved = np.fromfile(tmp_path / "read.png", np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(saved, cv2.IMREAD_COLOR), expected)
    assert sink.saved == [tmp_path / "read.png"]


def test_photos_in_a_folder_have_names_of_their_own(tmp_path):
    with PhotoSink(tmp_path / "new" / "read", photos=None) as sink:
        assert names(tmp_path) == []
        for source in ("a/фото.jpg", "b/фото.png", ""):
            sink.add(frame(source=source), [])
    expected = ["picture-read.jpg", "фото-read-2.jpg", "фото-read.jpg"]
    assert names(tmp_path / "new" / "read") == expected
    assert sorted(path.name for path in sink.saved) == expected


def test_photos_that_cannot_be_saved_are_said_before_the_first(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MienError, match="a file, but 2 photos need a folder"):
        PhotoSink(tmp_path / "file", photos=2)
    with pytest.raises(MienError, match="several photos need a folder"):
        PhotoSink(tmp_path / "file", photos=None)
    with pytest.raises(MienError, match=r"expected \.jpg, \.png or \.webp"):
        PhotoSink(tmp_path / "read.txt")
    for path in (tmp_path / "file" / "read.jpg", tmp_path / "file" / "read"):
        with pytest.raises(MienError, match="cannot be written"):
            PhotoSink(path)


def test_a_photo_is_not_written_over(tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"photo")
    with PhotoSink(photo) as sink, pytest.raises(MienError, match="the photo itself"):
        sink.add(frame(source=str(photo)), [])
    assert photo.read_bytes() == b"photo"


def test_no_copy_takes_the_name_of_a_source(tmp_path):
    for name in ("a.jpg", "a-read.jpg"):
        (tmp_path / name).write_bytes(b"photo")
    sources = SourceFiles([str(tmp_path / "a.jpg"), str(tmp_path / "a-read.jpg")])
    with PhotoSink(tmp_path, photos=2, sources=sources) as sink:
        sink.add(frame(source=str(tmp_path / "a.jpg")), [])
    assert names(tmp_path) == ["a-read-2.jpg", "a-read.jpg", "a.jpg"]
    assert (tmp_path / "a-read.jpg").read_bytes() == b"photo"


def test_names_too_long_and_pictures_too_wide_for_a_jpeg_have_copies(tmp_path):
    with PhotoSink(tmp_path, photos=None) as sink:
        sink.add(frame(source="写" * 83 + ".jpg"), [])
        sink.add(frame(source="wide.tiff", size=(65_501, 2)), [])
    long, wide = sorted(names(tmp_path), reverse=True)
    assert long == "写" * 66 + "-read.jpg"
    assert wide == "wide-read.png"


def test_of_several_photos_a_copy_that_cannot_be_is_listed_and_the_others_are_saved(tmp_path):
    (tmp_path / "a-read.jpg").mkdir()
    with PhotoSink(tmp_path, photos=2) as sink:
        for source in ("a.png", "b.png"):
            sink.add(frame(source=source), [])
    assert sink.saved == [tmp_path / "b-read.jpg"]
    assert ["a-read.jpg: is not a file" in str(failure) for failure in sink.failures] == [True]
