"""The choice of a detector."""

from __future__ import annotations

import numpy as np
import pytest

from mien.errors import MienError
from mien.vision import Reader
from mien.vision.detectors._yunet_file import FILE_NAME
from mien.vision.detectors.base import (
    DETECTORS,
    Detector,
    Face,
    choose_detector,
    video_side_px,
)


def test_auto_takes_yunet_where_it_is_and_says_how_to_get_it_where_not(planted, cache):
    choice = choose_detector("auto")
    assert choice.name == "haar"
    assert "mien fetch" in choice.note
    assert "\n" not in choice.note
    cache.mkdir(parents=True)
    (cache / FILE_NAME).write_bytes(planted.read_bytes())
    choice = choose_detector("auto")
    assert (choice.name, choice.note) == ("yunet", "")
    assert choice.build().name == "yunet"


def test_a_file_that_the_user_names_is_checked(planted, cache, tmp_path):
    assert choose_detector("auto", planted).name == "yunet"
    assert choose_detector("yunet", planted).name == "yunet"
    other = tmp_path / "other.onnx"
    other.write_bytes(b"something else")
    with pytest.raises(MienError, match=r"other\.onnx: not YuNet's .* its SHA-256 is"):
        choose_detector("yunet", other)
    with pytest.raises(MienError, match="no such file, expected YuNet's"):
        choose_detector("auto", tmp_path / "nowhere.onnx")


@pytest.mark.parametrize(
    ("name", "model", "said"),
    [
        ("yunett", None, "detector 'yunett' (did you mean 'yunet'?): expected auto, haar, none"),
        ("atuo", None, "did you mean 'auto'?"),
        ("haar", "x.onnx", "detector haar takes no detector model"),
        ("none", "x.onnx", "detector none takes no detector model"),
    ],
)
def test_what_cannot_be_chosen_is_said(name, model, said):
    with pytest.raises(MienError) as error:
        choose_detector(name, model)
    assert said in str(error.value)


def test_frames_are_searched_at_half_their_size_within_bounds():
    sides = {640: 320, 320: 320, 1280: 640, 3840: 640}
    for longest, side in sides.items():
        assert video_side_px(np.zeros((10, longest), np.uint8)) == side


class Corner(Detector):
    """A detector of one's own: the upper left corner is a face."""

    name = "corner"

    def detect(self, image, *, longest_side_px=1280):
        return [Face((0, 0, 20, 20), 0.5)]


def test_a_detector_of_ones_own_is_used_by_its_name(monkeypatch):
    monkeypatch.setitem(DETECTORS._registered, "corner", Corner)
    reader = Reader(detector="corner")
    (reading,) = reader.read(np.zeros((60, 60, 3), np.uint8))
    assert (reader.detector, reading.box, reading.score) == ("corner", (0, 0, 20, 20), 0.5)
    assert "corner" in DETECTORS.names()
