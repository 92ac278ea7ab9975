"""What is a source, and what is said of everything else."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from tests.vision.made import picture

from mien.errors import SourceError
from mien.vision.sources import SOURCES, open_source
from mien.vision.sources._specs import suffix_of


def test_path_text_bytes_array_and_pil_give_the_same_photo(photo):
    pil = PIL.Image.open(photo)
    for source in (photo, str(photo), photo.read_bytes(), picture(), pil):
        with open_source(source) as opened:
            assert (opened.kind, opened.total, opened.fps) == ("photos", 1, None)
            (frame,) = opened
            np.testing.assert_array_equal(frame.image, picture())
            assert (frame.index, frame.seconds) == (0, None)
            assert opened.failures == []
    assert next(iter(open_source(str(photo)))).source == str(photo)
    assert next(iter(open_source(picture()))).source == ""


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4)])
def test_gray_colour_and_alpha_arrays_are_taken(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (frame,) = open_source(array)
    np.testing.assert_array_equal(frame.image, array[..., :3] if array.ndim == 3 else array)


@pytest.mark.parametrize(
    "source",
    [np.zeros((5, 5, 3)), np.zeros((5, 5, 2), np.uint8), np.zeros(5, np.uint8),
     np.zeros((0, 5), np.uint8), np.zeros((2, 5, 5, 3), np.uint8)],
)  # fmt: skip
def test_other_arrays_are_refused(source):
    with pytest.raises(SourceError, match="expected uint8"):
        open_source(source)


@pytest.mark.parametrize("source", [None, 1.5, True, {}, object(), []])
def test_other_things_are_refused_with_what_is_taken(source):
    with pytest.raises(SourceError, match=r"expected a photo, a folder, .*number of a camera"):
        open_source(source)


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    for source, expected in (
        (tmp_path / "gone.jpg", "no such file, expected a photo"),
        (tmp_path / "empty", "folder without a photo or video"),
        (str(tmp_path / "*.jpg"), "pattern that matches no photo or video"),
        (tmp_path / ("long" * 100 + ".jpg"), "cannot be read"),
        (str(tmp_path / ("[long]*" * 60)), "matches no"),
        ("nul\0.jpg", "cannot be read"),
        ("~nobody-of-this-name/a.jpg", "no such user"),
    ):
        with pytest.raises(SourceError, match=expected):
            open_source(source)


def test_a_file_far_too_long_for_a_picture_is_not_read(tmp_path):
    path = tmp_path / "film.jpg"
    with path.open("wb") as handle:
        handle.truncate(3 << 30)
    with pytest.raises(SourceError, match="too large for a picture"):
        list(open_source(path))


@pytest.mark.parametrize("number", [99, "99", np.int64(99), 700, -1])
def test_a_camera_that_is_not_there_is_said(number):
    with pytest.raises(SourceError, match=r"camera -?\d+: "):
        open_source(number)


@pytest.mark.parametrize(
    ("spec", "suffix"),
    [("a/B.JPG", ".jpg"), ("http://host/a.MP4?size=1#t.jpg", ".mp4"), ("http://host/", ""),
     ("50%?.png", ".png"), (7, ""), (np.zeros(3), "")],
)  # fmt: skip
def test_a_suffix_is_that_of_the_path(spec, suffix):
    assert suffix_of(spec) == suffix


SPECS = {
    "photo": [picture(), b"bytes", "a.jpg", "a.unknown", "no-suffix"],
    "video": ["a.mp4", "B.AVI"],
    "live": [0, "7", np.int64(3)],
    "http": ["http://host/a.jpg", "rtsp://host", "ftp://host/a"],
}


@pytest.mark.parametrize("kind", SOURCES.names())
def test_every_kind_of_source_opens_its_specs_and_no_other_kind_is_asked_before_it(kind):
    opener = SOURCES[kind]()
    for spec in SPECS[kind]:
        assert opener.opens(spec)
        assert opener.kind(spec) in ("photos", "video", "live")
        others = [SOURCES[name]() for name in SOURCES.names() if name != kind]
        earlier = [one for one in others if opener.is_fallback >= one.is_fallback]
        if kind != "photo":  # which takes every path that is left
            earlier = [one for one in earlier if not isinstance(one, SOURCES["photo"])]
        assert not any(one.opens(spec) for one in earlier)
