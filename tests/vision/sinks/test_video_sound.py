from __future__ import annotations

import os

import pytest

pytest.importorskip("av")

from tests.vision.clips import FPS, heard_from, hide_pyav, make
from tests.vision.sinks.made import context, frame, names

from mien.vision.sinks.video import VideoSink
from mien.vision.sources import Selection, open_source

# Files with a tone that begins after half a second of silence, and the codec of their copies.
SOUNDS = {
    ("a.mp4", "aac"): {".mp4": "aac", ".mov": "aac", ".mkv": "aac", ".webm": "opus"},
    ("a.mkv", "libmp3lame"): {".mp4": "mp3", ".webm": "opus"},
    ("a.mov", "pcm_s16le"): {".mp4": "aac", ".mov": "aac", ".webm": "opus"},
    ("a.mkv", "ac3"): {".mp4": "aac", ".mkv": "ac3"},
    ("a.mkv", "libopus"): {".mp4": "opus", ".mov": "aac", ".webm": "opus"},
    ("a.ts", "aac"): {".mp4": "aac", ".mkv": "aac"},
    ("a.avi", "pcm_s16le"): {".mp4": "aac"},
    ("a.mkv", "flac"): {".mp4": "aac", ".mkv": "flac"},
}
CASES = [
    (name, sound, suffix, codec)
    for (name, sound), copies in SOUNDS.items()
    for suffix, codec in copies.items()
]
_STEP_S = 0.11  # packets of FLAC last as long


def clip(path, sound, frames=50):
    return make(path, "mpeg4", frames=frames, sound=sound)


def save(source, target, count=None):
    """Save a copy of a source, or of its first frames, and return the sink."""
    with source, VideoSink.open(str(target), context(source)) as sink:
        for number, one in enumerate(source):
            if number == count:
                break
            sink.add(one, [])
    return sink


@pytest.mark.parametrize(("name", "sound", "suffix", "codec"), CASES)
def test_the_sound_is_kept(name, sound, suffix, codec, tmp_path):
    source = open_source(clip(tmp_path / name, sound))
    sink = save(source, tmp_path / f"out{suffix}")
    assert sink.notes == []
    kept, begins_s, ends_s = heard_from(tmp_path / f"out{suffix}")
    assert kept == codec
    assert begins_s == pytest.approx(0.5, abs=_STEP_S)
    assert ends_s == pytest.approx(2, abs=_STEP_S)
    with open_source(tmp_path / f"out{suffix}") as copy:
        assert len(list(copy)) == 50
        assert copy.failures == []


@pytest.mark.parametrize("sound", ["aac", "pcm_s16le"])
@pytest.mark.parametrize("every", [1, 5])
def test_a_part_has_the_sound_of_that_part(sound, every, tmp_path):
    source = open_source(clip(tmp_path / "a.mov", sound, frames=75))
    source.select(Selection(every=every, start_s=0.24, end_s=1.24))
    save(source, tmp_path / "out.mp4")
    _, begins_s, ends_s = heard_from(tmp_path / "out.mp4")
    assert begins_s == pytest.approx(0.26, abs=_STEP_S)
    assert ends_s == pytest.approx(1 - (every - 1) / FPS, abs=_STEP_S)


def test_a_copy_that_was_stopped_has_no_more_sound_than_pictures(tmp_path):
    source = open_source(clip(tmp_path / "a.mp4", "aac", frames=100))
    save(source, tmp_path / "out.mp4", count=20)
    assert heard_from(tmp_path / "out.mp4")[2] == pytest.approx(0.8, abs=_STEP_S)


def test_without_sound_and_with_several_sources_there_is_none(tmp_path):
    silent = make(tmp_path / "a.mp4", frames=5)
    assert save(open_source(silent), tmp_path / "out.mp4").notes == []
    assert heard_from(tmp_path / "out.mp4") is None
    loud = clip(tmp_path / "b.mp4", "aac", frames=25)
    assert save(open_source([loud, silent]), tmp_path / "two.mp4").notes == []
    assert heard_from(tmp_path / "two.mp4") is None
    save(open_source(loud), tmp_path / "out.avi")
    assert heard_from(tmp_path / "out.avi") is None


def test_where_pictures_are_left_out_the_sound_ends(tmp_path):
    loud = clip(tmp_path / "a.mp4", "aac", frames=25)
    with VideoSink(tmp_path / "out.mp4", FPS, sound=loud) as sink:
        for index in range(10):
            sink.add(frame(index, index / FPS, "a"), [])
        sink.add(frame(10, 500.0, "a"), [])
    (note,) = sink.notes
    assert "the rest of the sound could not be kept" in note
    assert heard_from(tmp_path / "out.mp4")[2] <= 0.5


def test_sound_that_is_damaged_costs_no_pictures(tmp_path):
    path = clip(tmp_path / "a.mp4", "aac", frames=100)
    pictures = len(list(open_source(path)))
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    content[start + 3_000 : start + 9_000 : 7] = bytes(len(range(3_000, 9_000, 7)))
    path.write_bytes(content)
    sink = save(open_source(path), tmp_path / "out.webm")
    assert names(tmp_path) == ["a.mp4", "out.webm"]
    assert sink.saved == [tmp_path / "out.webm"]
    with open_source(tmp_path / "out.webm") as copy:
        assert len(list(copy)) >= 0.9 * pictures


def test_sound_of_a_file_whose_name_is_not_utf8(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9 %d.mp4")
    clip(tmp_path / "a.mp4", "aac").rename(path)
    save(open_source(path), tmp_path / os.fsdecode(b"\xff.mp4"))
    (tmp_path / os.fsdecode(b"\xff.mp4")).rename(tmp_path / "out.mp4")
    assert heard_from(tmp_path / "out.mp4")[0] == "aac"


def test_without_pyav_a_copy_is_silent_and_says_so(tmp_path, monkeypatch):
    path = clip(tmp_path / "a.mp4", "aac", frames=20)
    with monkeypatch.context() as hidden:
        hide_pyav(hidden)
        sink = save(open_source(path), tmp_path / "out.mp4")
    (note,) = sink.notes
    assert "without sound" in note
    assert heard_from(tmp_path / "out.mp4") is None
