from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.vision.sinks.made import READER, frame, names, reading

from mien.errors import MienError
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
