from __future__ import annotations

import os
from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.bundles import write_bundle
from tests.vision.sinks.made import READER, frame, names, reading

from mien.errors import MienError
from mien.images.crop import CropSpec
from mien.vision import Reader
from mien.vision.places import SourceFiles
from mien.vision.sinks.crops import CropsSink


def test_each_face_is_saved_as_the_crop_that_was_read(tmp_path):
    shown = frame(7, 0.5, "some/видео.mp4", shade=90)
    found = [reading(shown, 1), reading(shown, 2, (0, 0, 100, 100))]
    with CropsSink(tmp_path / "new" / "crops", READER) as sink:
        sink.add(shown, found)
    expected = ["видео-000007-000001-neutral.png", "видео-000007-000002-neutral.png"]
    assert names(tmp_path / "new" / "crops") == expected
    for name, one in zip(expected, found, strict=True):
        content = np.fromfile(tmp_path / "new" / "crops" / name, np.uint8)
        crop = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(crop, READER.crop(shown.image, one))
    assert sink.saved == [tmp_path / "new" / "crops"]


def test_a_crop_takes_the_name_of_no_source(tmp_path):
    path = tmp_path / "a-000000-000001-neutral.png"
    path.write_bytes(b"a source")
    shown = frame(source="a.png")
    with CropsSink(tmp_path, READER, sources=SourceFiles([str(path)])) as sink:
        with pytest.raises(MienError, match="is one of the sources"):
            sink.add(shown, [reading(shown)])
    assert path.read_bytes() == b"a source"


def test_a_file_in_the_way_is_said(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(MienError, match="a file, but face crops need a folder"):
        CropsSink(tmp_path / "taken", READER)


@pytest.mark.parametrize("name", ["who?*:<a|b>", "怒" * 60, "happy"])
def test_crops_in_colour_have_names_that_every_system_can_have(name, tmp_path):
    bundle = write_bundle(tmp_path / "own.onnx", (name, "other"), CropSpec(112, 3))
    reader = Reader(bundle, detector="none")
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    shown = replace(frame(source="写" * 90 + ".png"), image=picture)
    (read_one,) = reader.read(picture)
    with CropsSink(tmp_path / "crops", reader) as sink:
        sink.add(shown, [replace(read_one, emotion=name)])
    (path,) = (tmp_path / "crops").iterdir()
    assert not set(path.name) & set('\\/:*?"<>|')
    assert len(os.fsencode(path.name)) <= 255
    assert path.name.endswith(
        {"happy": "-happy.png", "怒" * 60: f"-{'怒' * 10}.png"}.get(name, "-who____a_b_.png")
    )
    blue_first = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(blue_first[..., ::-1], reader.crop(picture, read_one))
