"""What is a source, and what is said of everything else."""

from __future__ import annotations

import base64
import gc
import io
import os
import tempfile

import numpy as np
import PIL.Image
import pytest
from tests.vision.made import encoded, picture, write_video

from mien.errors import MienError, SourceError
from mien.vision.sources import SOURCES, open_source
from mien.vision.sources._specs import suffix_of
from mien.vision.sources.animation import Animation
from mien.vision.sources.frames import FrameFolder, FrameIterator


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


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (np.full((5, 5, 3), 0.5), r"for values of 0 to 1, as in scikit-image, give \(array \* 255"),
        (np.full((5, 5, 3), 99.0, np.float32), "for values of 0 to 255 give array.round"),
        (np.ones((5, 5), bool), r"True and False give array.astype\('uint8'\) \* 255"),
        (np.ones((5, 5), np.uint16), r"16 bits give \(array >> 8\)"),
        (np.ones((5, 5, 3), np.int64), "0 to 255 give array.clip"),
        (np.ones((3, 50, 70), np.uint8), r"channels first, give array.transpose\(1, 2, 0\)"),
        (np.ones((1, 50, 70), np.uint8), "channels first"),
        (np.ones((2, 5, 5, 3), np.uint8), r"for 2 pictures give list\(array\)"),
        (np.ones((0, 5), np.uint8), "it is empty"),
    ],
)
def test_a_refused_array_comes_with_what_to_do(array, hint):
    with pytest.raises(SourceError, match=rf"the picture is .*expected uint8 .*{hint}") as raised:
        open_source(array)
    assert "\n" not in str(raised.value)


class Tensor:
    """An array of another library."""

    def __array__(self, dtype=None, copy=None):
        return np.zeros((3, 5, 5), np.float32)


def test_a_tensor_is_named_with_what_to_do():
    with pytest.raises(SourceError, match=r"a tests?.*\.Tensor, expected a NumPy array.*permute"):
        open_source(Tensor())


@pytest.mark.parametrize("make", [lambda a: a[:, ::-1], lambda a: a[..., ::-1], np.asfortranarray])
def test_views_of_arrays_are_pictures(make):
    array = picture()
    (frame,) = open_source(make(array))
    np.testing.assert_array_equal(frame.image, make(array))
    assert frame.image.flags.c_contiguous
    (gray,) = open_source(array[..., :1])
    np.testing.assert_array_equal(gray.image, array[..., 0])


class BytesPath:
    """A path whose name is bytes."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return os.fsencode(self.path)


def test_a_path_of_every_type_is_read(photo):
    with os.scandir(photo.parent) as entries:
        entry = next(entry for entry in entries if entry.name == photo.name)
    for spec in (entry, BytesPath(photo), photo.as_uri(), f"file://localhost{photo}"):
        (frame,) = opened = open_source(spec)
        np.testing.assert_array_equal(frame.image, picture())
        name = spec if isinstance(spec, str) else str(photo)
        assert (opened.name, frame.source) == (name, name)
    spaced = photo.rename(photo.with_name("ü #1?.png"))
    assert len(list(open_source(spaced.as_uri()))) == 1
    assert len(list(open_source(photo.parent.as_uri()))) == 1  # a folder


def test_names_that_are_not_utf_8_are_read(tmp_path):
    name = b"caf\xe9 \xff.png"
    path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118 - bytes
    with open(path, "wb") as handle:  # noqa: PTH123
        handle.write(encoded(picture(), ".png"))
    for spec in (os.fsdecode(path), BytesPath(os.fsdecode(path)), tmp_path, str(tmp_path / "*")):
        (frame,) = open_source(spec)
        assert os.fsencode(frame.source) == path


def test_a_tilde_in_a_name_is_only_a_home_at_the_beginning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for path in (tmp_path / "~a.png", tmp_path / "home" / "b.png", tmp_path / "~" / "c.png"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(picture(), ".png"))
    for spec in ("~a.png", "./~a.png", "*.png", "~*.png", ".", "~/b.png", "~/*.png", "./~/c.png"):
        assert len(list(open_source(spec))) == 1, spec
    with pytest.raises(SourceError, match="no such file"):
        open_source("./~none.png")


@pytest.mark.parametrize("spec", ["", " ", "\t\n", [""], ["a", ""]])
def test_an_empty_path_is_not_the_current_folder(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.png").write_bytes(encoded(picture(), ".png"))
    opened_or_error = ""
    try:
        opened = open_source(spec)
        assert list(opened) == []
        opened_or_error = str(opened.failures[-1])
    except SourceError as error:
        opened_or_error = str(error)
    assert "is empty, expected a photo" in opened_or_error


def test_a_blank_name_that_exists_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / " ").write_bytes(encoded(picture(), ".png"))
    assert len(list(open_source(" "))) == 1


def test_what_is_no_file_is_said_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    for source, expected in (
        (tmp_path / "pipe.jpg", "not a file, expected a photo"),
        ("/dev/zero", "not a file"),
        (tmp_path / "gone.jpg", "a symbolic link to nowhere.jpg, which does not exist"),
        (tmp_path / "loop.jpg", "Too many levels of symbolic links"),
        (r"C:\Users\me\a.jpg", "no such file"),
        ("C:/Users/me/a.jpg", "no such file"),
        ("file:///nowhere/a.jpg", "no such file"),
        ("nul\0*.jpg", "."),
        (tmp_path / "photo.png" / "a.jpg", "no such file"),
    ):
        with pytest.raises(SourceError, match=expected) as raised:
            list(open_source(source))
        assert "\n" not in str(raised.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said(photo):
    photo.chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        list(open_source(photo))
    photo.parent.chmod(0)
    try:
        with pytest.raises(SourceError, match="Permission denied"):
            open_source(photo.parent)
    finally:
        photo.parent.chmod(0o700)


class Reading:
    """A file that is no more than its read()."""

    def __init__(self, content, most=1000):
        self.file, self.most = io.BytesIO(content), most

    def read(self, size=-1):
        return self.file.read(min(size, self.most))


def test_open_files_are_read_from_where_they_are_and_stay_open(photo):
    content = photo.read_bytes()
    with photo.open("rb") as handle:
        (frame,) = opened = open_source(handle)
        assert not handle.closed
        assert (opened.name, frame.source) == (str(photo), str(photo))
        np.testing.assert_array_equal(frame.image, picture())
        assert len(list(opened)) == 1  # a second time too
    later = io.BytesIO(b"header" + content)
    later.seek(6)
    for spec in (later, Reading(content), bytearray(content), memoryview(content),
                 io.BufferedReader(io.BytesIO(content))):  # fmt: skip
        (frame,) = open_source(spec)
        np.testing.assert_array_equal(frame.image, picture())
        assert frame.source == ""


def test_open_files_that_cannot_be_read_are_said(photo):
    closed = photo.open("rb")
    closed.close()
    for spec, expected in (
        (io.StringIO("text"), r"returns str instead of bytes; open it in binary mode"),
        (closed, "cannot be read"),
        (io.BytesIO(b""), "empty"),
        (io.BytesIO(b"I am text"), "a text file cannot be decoded"),
        (b"", "empty"),
        (bytearray(), "empty"),
    ):
        with pytest.raises(SourceError, match=expected) as raised:
            list(open_source(spec))
        assert "\n" not in str(raised.value)
    with pytest.raises(SourceError, match="too large for a picture"):
        open_source(Reading(encoded(picture()) + bytes(9_000_000)), max_pixels=100)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, io.BytesIO, Reading])
def test_the_content_of_a_video_is_a_video_and_leaves_no_file(wrap, tmp_path, monkeypatch):
    content = write_video(tmp_path / "v.avi", frames=3).read_bytes()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "stored"))
    (tmp_path / "stored").mkdir()
    with open_source(wrap(content)) as opened:
        assert opened.kind == "video"
        assert [frame.index for frame in opened] == [0, 1, 2]
    assert len(list(opened)) == 3  # a second time too
    del opened
    gc.collect()
    assert list((tmp_path / "stored").iterdir()) == []


def test_a_video_that_cannot_be_stored_is_said(tmp_path, monkeypatch):
    content = write_video(tmp_path / "v.avi", frames=3).read_bytes()
    monkeypatch.setenv("MIEN_MAX_VIDEO_MB", "0")
    with pytest.raises(SourceError, match=r"more than 0 MB; raise the limit.*MIEN_MAX_VIDEO_MB"):
        open_source(content)
    monkeypatch.setenv("MIEN_MAX_VIDEO_MB", "many")
    with pytest.raises(MienError, match="MIEN_MAX_VIDEO_MB=many: expected a number of MB"):
        open_source(content)
    monkeypatch.delenv("MIEN_MAX_VIDEO_MB")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(SourceError, match=r"cannot be stored in .*nowhere.*set TMPDIR"):
        open_source(content)
    broken = content[:5000]
    (tmp_path / "stored").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "stored"))
    with pytest.raises(SourceError):
        list(open_source(broken))
    gc.collect()
    assert list((tmp_path / "stored").iterdir()) == []


def test_a_data_uri_holds_a_picture_or_a_video(tmp_path):
    content = encoded(picture(), ".png")
    text = base64.b64encode(content).decode()
    percents = "".join(f"%{byte:02x}" for byte in content)
    for spec in (f"data:image/png;base64,{text}", f"DATA:;base64,{text}", f"data:,{percents}",
                 f"data:image/png;charset=x;base64,{text.rstrip('=')}",
                 f"data:image/png;base64,{text[:80]}\n{text[80:]}",
                 "data:;base64," + text.replace("+", "%2B")):  # fmt: skip
        (frame,) = opened = open_source(spec)
        np.testing.assert_array_equal(frame.image, picture())
        assert (opened.kind, frame.source) == ("photos", "")
    video = base64.b64encode(write_video(tmp_path / "v.avi", frames=3).read_bytes()).decode()
    for spec in (f"data:video/avi;base64,{video}", f"data:;base64,{video}"):
        with open_source(spec) as opened:
            assert (opened.kind, len(list(opened))) == ("video", 3)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("data:image/png;base64", "without a comma"),
        ("data:image/png;base64,?!*", "base64 is damaged"),
        ("data:,", "empty"),
        ("data:,Hello%20world", "a text file"),
        ("data:text/html,<html></html>", "a web page"),
        ("data:image/png;base64," + "A" * 2_000_000, "too large for a picture"),
    ],
)
def test_other_data_uris_are_said(spec, expected):
    with pytest.raises(SourceError, match=expected) as raised:
        list(open_source(spec, max_pixels=100))
    assert len(str(raised.value)) < 300


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    for source, expected in (
        (tmp_path / "gone.jpg", "no such file, expected a photo"),
        (tmp_path / "empty", "folder without a photo or video"),
        (str(tmp_path / "*.jpg"), "pattern that matches no photo or video"),
        (tmp_path / ("long" * 100 + ".jpg"), "a name over 255 bytes"),
        (str(tmp_path / ("[long]*" * 60)), "matches no|a name over 255 bytes"),
        ("nul\0.jpg", "a null character"),
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
    "photo": [
        picture(),
        b"bytes",
        "a.jpg",
        "a.unknown",
        "no-suffix",
        "data:,a",
        io.BytesIO(b"a"),
        "file:///a.jpg",
        "C:/a.jpg",
        PIL.Image.new("L", (2, 2)),
    ],
    "video": ["a.mp4", "B.AVI"],
    "live": [0, "7", np.int64(3)],
    "animation": [Animation("a.gif")],
    "frames": [FrameIterator(iter([]), lambda _: None), FrameFolder("a", [], 1, lambda _: None)],
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
