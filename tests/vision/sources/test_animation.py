"""Animated image files as videos."""

from __future__ import annotations

import io
import sys

import cv2
import numpy as np
import PIL.Image
import pytest
from tests.vision.made import SIZE, encoded, picture, send, serving

from mien.errors import SourceError
from mien.vision.sources import open_source
from mien.vision.sources._opening import Part
from mien.vision.sources.animation import Animation, AnimationOpener
from mien.vision.sources.base import Limits, Selection, never

SHADES = (40, 120, 200)
DURATIONS_MS = [100, 300, 50]


def animated(kind: str, shades=SHADES, **options) -> bytes:
    first, *rest = [PIL.Image.new("RGB", SIZE, (shade, shade, 0)) for shade in shades]
    first.putpixel((1, 1), (255, 0, 0))
    content = io.BytesIO()
    options = {"duration": DURATIONS_MS, "loop": 0} | options
    first.save(content, kind, save_all=True, append_images=rest, **options)
    return content.getvalue()


def opened(spec, limits: Limits | None = None, stop=never):
    return AnimationOpener().open(Animation(spec), limits=limits or Limits(), stop=stop)


def check(source) -> None:
    assert source.kind == "video"
    frames = list(source)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.seconds for frame in frames] == pytest.approx([0.0, 0.1, 0.4])
    for frame, shade in zip(frames, SHADES, strict=True):
        assert frame.image.shape == (48, 64, 3)
        np.testing.assert_allclose(frame.image[20:].mean((0, 1)), (0, shade, shade), atol=6)
    assert len(list(source)) == 3  # a second time too


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_every_frame_comes_with_its_time(kind, tmp_path):
    path = tmp_path / f"moving.{kind.lower()}"
    path.write_bytes(animated(kind))
    for spec in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        check(opened(spec))
    with open_source(path, animated=True) as source:
        check(source)
        assert next(iter(source)).source == str(path)


@pytest.mark.skipif(
    not hasattr(cv2, "imdecodeanimation"), reason="OpenCV decodes animations from 4.12 on"
)
@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_pil_is_not_needed(kind, monkeypatch):
    content = animated(kind)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    check(opened(content))
    whole = Limits(max_pixels=SIZE[0] * SIZE[1])
    assert len(list(opened(content, whole))) == 3


@pytest.mark.skipif(
    not hasattr(cv2, "imdecodeanimation"), reason="OpenCV decodes animations from 4.12 on"
)
def test_without_pil_too_many_frames_are_refused(monkeypatch):
    content = animated("GIF", range(0, 250, 25), duration=50)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    limits = Limits(max_pixels=SIZE[0] * SIZE[1])
    with pytest.raises(SourceError, match=r"more than 4 frames of 64x48 pixels.*install pillow"):
        list(opened(content, limits))
    monkeypatch.undo()
    assert len(list(opened(content, limits))) == 10


def test_what_cannot_be_decoded_by_either_is_said(monkeypatch):
    content = animated("GIF")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.delattr(cv2, "imdecodeanimation", raising=False)
    with pytest.raises(SourceError, match=r"update OpenCV to 4\.12 or later, or install pillow"):
        list(opened(content))


def test_frames_without_a_duration_last_as_in_a_browser():
    frames = list(opened(animated("GIF", duration=0)))
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.1, 0.2])


def test_frames_come_upright():
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    frames = list(opened(animated("WEBP", exif=exif)))
    assert [frame.image.shape for frame in frames] == [(64, 48, 3)] * 3


@pytest.mark.parametrize(
    ("selection", "indices"),
    [
        (Selection(every=2), [0, 2]),
        (Selection(start_s=0.1), [1, 2]),
        (Selection(end_s=0.4), [0, 1]),
        (Selection(every=2, start_s=0.05), [1]),
    ],
)
def test_a_part_can_be_selected(selection, indices):
    source = opened(animated("GIF"))
    source.select(selection)
    assert [frame.index for frame in source] == indices
    source.select(Selection(start_s=9))
    with pytest.raises(SourceError, match=r"no frame from 9 s on; the animation ends at 0\.5 s"):
        list(source)


def test_a_picture_that_does_not_move_is_a_photo(photo, tmp_path):
    for spec in (photo, encoded(picture())):
        source = opened(spec)
        assert source.kind == "photos"
        assert len(list(source)) == 1
    moving = tmp_path / "moving.gif"
    moving.write_bytes(animated("GIF"))
    frames = list(open_source(tmp_path, animated=True))
    assert [frame.index for frame in frames] == [0, 1, 2, 0]
    assert open_source(moving).kind == "photos"


def test_an_animation_at_an_address_is_one():
    with serving(lambda handler: send(handler, animated("GIF"), "image/gif")) as address:
        check(opened(f"{address}/a.gif"))
    part = Part(Animation("http://me:secret@host/a.gif"), AnimationOpener())
    assert (part.kind, part.name) == ("video", "http://host/a.gif")


def test_what_is_wrong_is_one_line(tmp_path):
    content = animated("PNG", [range_ * 20 for range_ in range(10)], duration=50)
    half = opened(content[: len(content) * 2 // 3])
    assert 0 < len(list(half)) < 10
    (failure,) = half.failures
    assert "of the animation cannot be decoded" in str(failure)
    with pytest.raises(SourceError, match="--max-pixels 3072"):
        opened(content, Limits(max_pixels=3071))
    with pytest.raises(SourceError, match="no such file"):
        opened(tmp_path / "gone.gif")
    assert "\n" not in str(failure)


def test_an_animation_ends_when_it_is_told_to():
    seen = []
    seen.extend(frame.index for frame in opened(animated("GIF"), stop=lambda: len(seen) == 2))
    assert seen == [0, 1]
    iterator = iter(source := opened(animated("GIF")))
    next(iterator)
    source.close()
    assert list(iterator) == []
    assert len(list(source)) == 3
