"""Mutated videos: read as far as they go, or refused with one line, by both decoders."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from tests.fuzz.harness import fuzz, memory_folder
from tests.vision.made import write_video

_PIXELS = 1_000_000
_FRAMES = 20


def videos_by_pyav(data: bytes) -> None:
    """Read a video by PyAV."""
    from mien.vision.sources._pyav import PyAvFile

    _read(PyAvFile, data)


def videos_by_opencv(data: bytes) -> None:
    """Read a video by OpenCV."""
    from mien.vision.sources._capture import open_capture_file

    _read(open_capture_file, data)


def _read(decoder, data: bytes) -> None:
    from mien.vision.sources.base import Limits

    path = memory_folder() / "video.avi"
    path.write_bytes(data)
    video = decoder(path, "video", Limits(max_pixels=_PIXELS))
    try:
        for _ in range(_FRAMES):
            if video.grab() is None:
                break
            image = video.picture()
            assert image is None or image.shape[0] * image.shape[1] <= _PIXELS
    finally:
        video.close()


@cache
def seeds(folder: Path) -> list[bytes]:
    return [
        write_video(folder / f"a{suffix}", frames=3, size=(48, 32)).read_bytes()
        for suffix in (".avi", ".mp4")
    ]


WORDS = [b"moov", b"trak", b"tkhd", b"mdhd", b"stsz", b"stco", b"avih", b"strf", b"idx1", b"movi",
         b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"]  # fmt: skip
BOUNDS = {"max_mb": 256, "max_s": 5.0, "max_bytes": 16_384, "words": WORDS}
TARGETS = (videos_by_pyav, videos_by_opencv)


@pytest.mark.parametrize("target", TARGETS)
def test_videos(target, tmp_path: Path) -> None:
    _skip_without_pyav(target)
    fuzz(target, seeds(tmp_path), tmp_path, seconds=2, **BOUNDS)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("target", TARGETS)
def test_many_videos(target, tmp_path: Path) -> None:
    _skip_without_pyav(target)
    fuzz(target, seeds(tmp_path), tmp_path, seconds=0, runs=20_000, **BOUNDS)


def _skip_without_pyav(target) -> None:
    if target is videos_by_pyav:
        pytest.importorskip("av")
