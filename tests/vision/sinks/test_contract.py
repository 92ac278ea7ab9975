"""The contract of every sink in the registry, and of those of installed plugins."""

from __future__ import annotations

import csv
import json

import cv2
import pytest
from tests.vision.sinks.made import Given, context, frame, names, read_video, reading

from mien.errors import MienError
from mien.vision.sinks.base import SINKS, Sink

FRAMES = 5
SUFFIXES = {"photo": [".png"], "video": [".mp4", ".avi"], "timeline": [".html"], "crops": [""]}
CASES = [(name, suffix) for name in SINKS.names() for suffix in SUFFIXES.get(name, [f".{name}"])]
WITH_A_PATH = [case for case in CASES if SINKS[case[0]].target != "nothing"]
FILES = [case for case in CASES if SINKS[case[0]].target == "file"]
AT_THE_END = [case for case in FILES if case[0] != "photo"]


def opened(name, path, source=None) -> Sink:
    """Return a sink as the command line creates it; a window needs a screen."""
    source = source or Given("photos" if name == "photo" else "video")
    try:
        return SINKS[name].open(
            "" if SINKS[name].target == "nothing" else str(path), context(source)
        )
    except MienError:
        if SINKS[name].target == "nothing":
            pytest.skip("there is no screen here")
        raise


def added(sink: Sink, name, count=FRAMES, source="another") -> None:
    for index in range(count):
        shown = frame(index, None if name == "photo" else index / 10, source)
        sink.add(shown, [reading(shown)])


def parts(path, otherwise=FRAMES) -> int:
    """Return how many frames or faces a whole file has; a file that is not whole fails.

    A page, a photo and a plugin's file do not tell.
    """
    match path.suffix:
        case ".csv":
            with path.open(encoding="utf-8", newline="") as handle:
                return len(list(csv.DictReader(handle)))
        case ".jsonl":
            return len([json.loads(line) for line in path.read_text("utf-8").splitlines()])
        case ".mp4" | ".avi":
            return len(read_video(path)[0])
        case ".html":
            assert path.read_text("utf-8").rstrip().endswith("</html>")
        case ".png":
            assert cv2.imread(str(path)) is not None
    return len(list(path.iterdir())) if path.is_dir() else otherwise


@pytest.mark.parametrize(("name", "suffix"), CASES)
def test_a_sink_leaves_what_it_says_and_nothing_else(name, suffix, tmp_path):
    with opened(name, tmp_path / f"out{suffix}") as sink:
        assert sink.saved == []
        assert sink.done is False
        added(sink, name)
    sink.close()  # a second time does nothing
    assert [path.name for path in dict.fromkeys(sink.saved)] == names(tmp_path)
    assert [parts(path) for path in dict.fromkeys(sink.saved)] == [FRAMES] * len(names(tmp_path))
    assert sink.failures == []


@pytest.mark.parametrize(("name", "suffix"), CASES)
def test_a_stopped_run_keeps_whole_files_with_what_it_has(name, suffix, tmp_path):
    with pytest.raises(KeyboardInterrupt), opened(name, tmp_path / f"out{suffix}") as sink:
        added(sink, name, count=3)
        raise KeyboardInterrupt
    (path,) = dict.fromkeys(sink.saved)
    assert names(tmp_path) == [path.name]
    assert parts(path, otherwise=3) == 3


@pytest.mark.parametrize(("name", "suffix"), AT_THE_END)
def test_an_older_file_is_replaced_at_the_end_alone(name, suffix, tmp_path):
    path = tmp_path / f"out{suffix}"
    sink = opened(name, path)
    path.write_bytes(b"older")
    added(sink, name)
    assert path.read_bytes() == b"older"
    sink.close()
    assert parts(path) == FRAMES
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize(("name", "suffix"), CASES)
def test_without_a_frame_there_is_no_file_and_an_older_one_stays(name, suffix, tmp_path):
    with opened(name, tmp_path / f"out{suffix}"):
        pass
    assert names(tmp_path) == []
    if SINKS[name].target == "file":
        path = tmp_path / f"out{suffix}"
        sink = opened(name, path)
        path.write_bytes(b"older")
        sink.close()
        assert path.read_bytes() == b"older"
        assert names(tmp_path) == [path.name]
        assert sink.saved == []


@pytest.mark.parametrize(("name", "suffix"), FILES)
def test_a_source_is_never_written_over(name, suffix, tmp_path):
    path = tmp_path / f"out{suffix}"
    sink = opened(name, path)
    path.write_bytes(b"a source")
    if name != "photo":
        added(sink, name)
    for _ in range(2):
        with pytest.raises(MienError, match=r"never replaced"):
            added(sink, name, source=str(path))
    sink.close()
    assert path.read_bytes() == b"a source"
    assert names(tmp_path) == [path.name]
    assert sink.saved == []


@pytest.mark.parametrize(("name", "suffix"), WITH_A_PATH)
def test_a_path_that_cannot_be_written_is_said_before_any_frame(name, suffix, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MienError, match=r"cannot be written"):
        opened(name, tmp_path / "file" / f"out{suffix}")
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(("name", "suffix"), AT_THE_END)
def test_names_too_long_and_folders_in_the_way_are_said(name, suffix, tmp_path):
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(MienError, match="is not a file"):
        opened(name, tmp_path / f"folder{suffix}")
    with pytest.raises(MienError, match="a name over 255 bytes"):
        opened(name, tmp_path / ("ы" * 300 + suffix))
    assert names(tmp_path) == [f"folder{suffix}"]
