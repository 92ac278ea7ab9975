from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.vision.made import (
    encoded,
    picture,
    send_mjpeg,
    serving,
    write_video,
)

from mien.errors import SourceError
from mien.vision.sources import SOURCES, Opener, open_picture, open_source
from mien.vision.sources.photo import PhotoSource


def test_a_folder_gives_its_photos_and_videos_by_name(tmp_path):
    for name, shade in (("b.JPG", 80), ("a.png", 40), (".hidden.png", 0)):
        (tmp_path / name).write_bytes(encoded(picture(shade), Path(name).suffix.lower()))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "inner.png").mkdir()
    (tmp_path / "inner.png" / "c.png").write_bytes(encoded(picture(), ".png"))
    with open_source(tmp_path) as opened:
        assert (opened.name, opened.kind, opened.total) == (str(tmp_path), "photos", 2)
        assert [Path(frame.source).name for frame in opened] == ["a.png", "b.JPG"]
        assert len(list(opened)) == 2  # a second time too
    write_video(tmp_path / "aa.avi", frames=3)
    with open_source(str(tmp_path)) as opened:
        assert (opened.kind, opened.total) == ("video", None)
        frames = [(Path(frame.source).name, frame.index, frame.seconds) for frame in opened]
    assert frames == [
        ("a.png", 0, None), ("aa.avi", 0, 0.0), ("aa.avi", 1, 0.05), ("aa.avi", 2, 0.1),
        ("b.JPG", 0, None),
    ]  # fmt: skip


def test_a_pattern_reaches_into_folders(tmp_path):
    for name in ("one/a.png", "one/two/b.png", "c.jpg", "d.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(encoded(picture(), ".png"))

    def names(pattern):
        return [Path(frame.source).name for frame in open_source(str(tmp_path / pattern))]

    assert names("**/*.png") == ["a.png", "b.png"]
    assert names("**/*") == ["c.jpg", "a.png", "b.png"]
    assert names("[c-d].*") == ["c.jpg"]
    odd = tmp_path / "e[1].png"
    odd.write_bytes(encoded(picture(), ".png"))
    assert names("e[1].png") == ["e[1].png"]  # a file of that name comes first
    (tmp_path / "one [a]").mkdir()
    odd.rename(tmp_path / "one [a]" / "e[1].png")
    assert names("one [a]/*.png") == ["e[1].png"]  # and so does a folder
    assert names("one [a]") == names("one [a]/") == ["e[1].png"]


def test_what_a_folder_or_a_pattern_leaves_out_is_noted(tmp_path):
    photo = encoded(picture(), ".png")
    for name in ("a.png", "no-suffix"):
        (tmp_path / name).write_bytes(photo)
    write_video(tmp_path / "v.avi", frames=2).rename(tmp_path / "film")
    for name in ("a.txt", "B.TXT", "c.pdf", "readme", ".hidden.txt", ".DS_Store"):
        (tmp_path / name).write_text("I am text")
    counted = "4 files left out: 2 .txt, 1 .pdf, 1 without a suffix"
    for source in (tmp_path, str(tmp_path / "*")):
        opened = open_source(source)
        assert opened.notes == [f"{source}: {counted}"]
        names = [Path(frame.source).name for frame in opened]
        assert names == ["a.png", "film", "film", "no-suffix"]
        assert opened.kind == "video"
    several = open_source([tmp_path, tmp_path / "a.png"])
    assert several.notes == [f"{tmp_path}: {counted}"]
    assert open_source(str(tmp_path / "*.png")).notes == []
    with pytest.raises(SourceError, match=r"matches no photo.*; there: 2 \.txt"):
        open_source(str(tmp_path / "*.[tT][xX][tT]"))


def test_a_name_that_cannot_be_read_is_no_file_left_out(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(picture(), ".png"))
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(tmp_path / "pipe.mp4")
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path, str(tmp_path / "*")):
        opened = open_source(source)
        assert [Path(frame.source).name for frame in opened] == ["a.png"]
        assert opened.notes == [f"{source}: 1 file left out: 1 without a suffix"]
        said = sorted(str(failure) for failure in opened.failures)
        assert len(said) == 3
        for line, part in zip(
            said, ("a symbolic link to", "Too many levels", "not a file"), strict=True
        ):
            assert part in line


@pytest.mark.parametrize("suffix", [".jfif", ".JPE", ".jif", ".dib", ".pgm", ".jp2", ".avif"])
def test_what_is_read_when_it_is_named_is_also_taken_in_a_folder(suffix, tmp_path):
    kinds = {".pgm": ".pgm", ".jp2": ".jp2", ".dib": ".bmp", ".avif": ".png"}
    image = picture()[..., 0] if suffix == ".pgm" else picture()
    content = encoded(image, kinds.get(suffix, ".jpg"))
    (tmp_path / f"a{suffix}").write_bytes(content)
    assert len(list(open_source(tmp_path / f"a{suffix}"))) == 1
    opened = open_source(tmp_path)
    assert len(list(opened)) == 1
    assert (opened.kind, opened.failures) == ("photos", [])


def test_of_several_a_bad_one_is_noted_and_the_others_are_read(photo, tmp_path):
    (tmp_path / "bad.jpg").write_text("I am text")
    (tmp_path / "zero.png").write_bytes(b"")
    wrong = np.zeros((4, 4), np.float32)
    empty = tmp_path / "empty"
    empty.mkdir()
    gone = tmp_path / "gone.mp4"
    sources = [photo, tmp_path / "bad.jpg", wrong, tmp_path / "zero.png", empty, gone, picture()]
    with open_source(sources) as opened:
        assert [frame.source for frame in opened] == [str(photo), "item 6"]
        said = [str(failure) for failure in opened.failures]
    expected = ["cannot be decoded", "item 2: ", "is empty", "folder without", "no such file"]
    assert len(said) == len(expected)
    for line, part in zip(said, expected, strict=True):
        assert part in line
        assert "\n" not in line


def test_a_list_is_live_with_what_may_be_a_stream_in_it(photo, tmp_path):
    video = write_video(tmp_path / "v.avi", frames=2)
    for members, kind in (
        ([photo, "http://host/a.JPG?size=1"], "photos"),
        ([photo, video], "video"),
        ([photo, video, "http://host/live"], "live"),
        (["0", photo], "live"),
        ([0, np.zeros((4, 4), np.uint8)], "live"),
    ):
        assert open_source(members).kind == kind
    names = open_source([photo, "rtsp://me:secret@host/a", 0, picture()]).names
    assert names == [str(photo), "rtsp://host/a", "0", ""]


def test_a_stream_that_is_called_like_a_photo_is_left_out(photo):
    with serving(lambda handler: send_mjpeg(handler, range(30))) as address:
        opened = open_source([f"{address}/a.jpg", photo])
        assert [frame.source for frame in opened] == [str(photo)]
    (failure,) = opened.failures
    assert "a.jpg: a video or a stream with the name of a photo" in str(failure)


def test_a_list_of_one_is_that_one(photo, tmp_path):
    assert open_source([str(photo)]).name == str(photo)
    with pytest.raises(SourceError, match="no such file"):
        open_source((tmp_path / "gone.jpg",))


@pytest.mark.parametrize("name", ["фото 写真", "deep/" * 60 + "end"])
def test_names_may_be_long_and_need_not_be_ascii(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (folder / "é.png").write_bytes(encoded(picture(), ".png"))
    write_video(tmp_path / "v.avi", frames=2).rename(folder / "ü: 50%.avi")
    with open_source(folder) as opened:
        assert len(list(opened)) == 3
        assert opened.failures == []


def test_a_single_picture_with_its_name(photo, tmp_path):
    image, name = open_picture(photo)
    np.testing.assert_array_equal(image, picture())
    assert name == str(photo)
    gray = np.zeros((5, 5), np.uint8)
    assert open_picture(gray)[0] is gray
    assert open_picture(gray)[1] == ""
    for source, expected in (
        (tmp_path, "a folder"),
        (tmp_path / "gone.jpg", "no such file"),
        (np.zeros((5, 5, 4), np.uint8), "expected uint8"),
        (write_video(tmp_path / "a.avi", frames=2), "expected a photo"),
        ([photo, photo], "type list"),
    ):
        with pytest.raises(SourceError, match=expected):
            open_picture(source)


def has_five(seen):
    return len(seen) == 5


def test_a_video_and_a_list_end_when_they_are_told_to(photo, tmp_path):
    video = write_video(tmp_path / "v.avi", frames=30)
    for source in (video, [photo, video, photo]):
        seen = []
        opened = open_source(source, stop=partial(has_five, seen))
        seen.extend(opened)
        assert len(seen) == 5
        assert opened.failures == []


class Screenshot(Opener):
    """A kind of source of one's own, for a spec that only it knows."""

    def opens(self, spec):
        return spec == "screen:"

    def kind(self, spec):
        return "photos"

    def open(self, spec, *, limits, stop):
        return PhotoSource("screen:", lambda _: picture())


def test_a_kind_of_ones_own_is_opened_alone_and_among_others(photo, monkeypatch):
    monkeypatch.setitem(SOURCES._registered, "screenshot", Screenshot)
    assert [frame.source for frame in open_source("screen:")] == ["screen:"]
    opened = open_source([photo, "screen:"])
    assert [frame.source for frame in opened] == [str(photo), "screen:"]
    assert opened.names == [str(photo), "screen:"]
