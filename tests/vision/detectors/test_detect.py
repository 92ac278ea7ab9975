"""Detectors, and which one is taken. YuNet is a stand-in (see conftest): its file is not ours."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from tests.vision.conftest import FACE_PX, TILT_DEGREES

from mien.errors import MienError
from mien.vision.detectors import yunet_file as yunet
from mien.vision.detectors.choose import choose_detector
from mien.vision.detectors.detect import HaarDetector, WholePicture, YuNetDetector, video_side_px

ASTRONAUT = cv2.imread(str(Path(skimage.__file__).parent / "data" / "astronaut.png"))


def dark(height=240, width=320):
    return np.zeros((height, width, 3), np.uint8)


@pytest.fixture
def planted(planted_yunet, monkeypatch):
    """The stand-in's path; for the time of a test it counts as the real file."""
    digest = hashlib.sha256(planted_yunet.read_bytes()).hexdigest()
    monkeypatch.setattr(yunet, "SHA256", digest)
    return planted_yunet


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def test_yunet_boxes_scores_and_tilt(planted_yunet):
    picture = dark()
    picture[80:88, 160:168] = 255
    (face,) = YuNetDetector(planted_yunet).detect(picture)
    half = FACE_PX // 2
    assert face.box == (164 - half, 84 - half, 164 + half, 84 + half)
    assert face.score == 1
    assert face.tilt_degrees == pytest.approx(TILT_DEGREES, abs=0.1)


def test_yunet_takes_gray_and_every_size_and_finds_nothing_in_nothing(planted_yunet):
    detector = YuNetDetector(planted_yunet)
    for shape in ((240, 320), (37, 41), (1, 1), (700, 500)):
        assert detector.detect(np.zeros(shape, np.uint8)) == []
    gray = np.zeros((240, 320), np.uint8)
    gray[80:88, 160:168] = 255
    assert len(detector.detect(gray)) == 1


def test_yunet_boxes_are_in_the_pictures_own_pixels_and_inside_it(planted_yunet):
    large = dark(960, 1280)
    large[320:352, 640:672] = 255  # an 8×8 cell once shrunk to a quarter
    (face,) = YuNetDetector(planted_yunet).detect(large, longest_side_px=320)
    assert np.allclose(face.box, (576, 256, 736, 416), atol=4)
    corner = dark()
    corner[:8, :8] = 255
    (face,) = YuNetDetector(planted_yunet).detect(corner)
    assert face.box == (0, 0, 4 + FACE_PX // 2, 4 + FACE_PX // 2)


def test_a_file_that_is_no_network_is_said(tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_text("<html>not found</html>")
    with pytest.raises(MienError, match="cannot load it as YuNet"):
        YuNetDetector(path)


@pytest.mark.parametrize("make", [HaarDetector, WholePicture])
def test_a_box_of_every_detector_lies_in_the_picture(make):
    (face,) = make().detect(ASTRONAUT)
    left, top, right, bottom = face.box
    assert 0 <= left < right <= 512
    assert 0 <= top < bottom <= 512
    assert 0 < face.score <= 1
    assert face.tilt_degrees == 0


def test_whole_pictures_are_taken_as_they_are():
    (face,) = WholePicture().detect(dark(48, 60))
    assert face.box == (0, 0, 60, 48)


def test_auto_takes_yunet_where_it_is_and_says_how_to_get_it_where_not(planted, cache):
    choice = choose_detector("auto")
    assert choice.name == "haar"
    assert "mien fetch" in choice.note
    assert "\n" not in choice.note
    cache.mkdir(parents=True)
    (cache / yunet.FILE_NAME).write_bytes(planted.read_bytes())
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
        ("yunett", None, "detector 'yunett' (did you mean 'yunet'?)"),
        ("haar", "x.onnx", "detector haar takes no detector model"),
        ("none", "x.onnx", "detector none takes no detector model"),
    ],
)
def test_what_cannot_be_chosen_is_said(name, model, said):
    with pytest.raises(MienError) as error:
        choose_detector(name, model)
    assert said in str(error.value)


@pytest.fixture
def server():
    """A web server on loopback that answers ``server.content``, and counts how often."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked += 1
            self.send_response(200 if self.server.content else 404)
            self.end_headers()
            self.wfile.write(self.server.content)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        found.content, found.asked = b"", 0
        found.url = f"http://127.0.0.1:{found.server_port}/{yunet.FILE_NAME}"
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def test_fetching_checks_and_keeps_the_file(planted, cache, server):
    server.content = planted.read_bytes()
    path = yunet.fetch_yunet(server.url)
    assert path == cache / yunet.FILE_NAME
    assert path.read_bytes() == planted.read_bytes()
    assert yunet.fetch_yunet(server.url) == path
    assert server.asked == 1  # it was there


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "the server says 404"), (b"a captive portal", "sent something else than")],
)
def test_what_cannot_be_fetched_is_not_kept(planted, cache, server, content, said):
    server.content = content
    with pytest.raises(MienError) as error:
        yunet.fetch_yunet(server.url)
    assert said in str(error.value)
    assert "--detector-model PATH" in str(error.value)
    assert [path.name for path in cache.iterdir()] == []


def test_at_first_use_it_is_tried_once_a_day(planted, cache, server, monkeypatch):
    monkeypatch.delenv("MIEN_OFFLINE", raising=False)
    monkeypatch.setattr(yunet, "URL", server.url)
    assert yunet.fetch_yunet_once() is None
    assert yunet.fetch_yunet_once() is None
    assert server.asked == 1
    server.content = planted.read_bytes()
    assert yunet.fetch_yunet_once() is None  # not again today
    next(cache.glob("*.unreachable")).unlink()
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    assert yunet.fetch_yunet_once() is None
    assert server.asked == 1
    monkeypatch.delenv("MIEN_OFFLINE")
    assert yunet.fetch_yunet_once() == cache / yunet.FILE_NAME
    assert choose_detector("auto").name == "yunet"


def test_offline_even_a_named_detector_is_not_fetched(planted, cache, server, monkeypatch):
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    monkeypatch.setattr(yunet, "URL", server.url)
    with pytest.raises(MienError, match=r"MIEN_OFFLINE .* --detector-model PATH"):
        choose_detector("yunet")
    assert server.asked == 0
    cache.mkdir(parents=True, exist_ok=True)
    (cache / yunet.FILE_NAME).write_bytes(planted.read_bytes())
    assert choose_detector("yunet").name == "yunet"


def test_frames_are_searched_at_half_their_size_within_bounds():
    sides = {640: 320, 320: 320, 1280: 640, 3840: 640}
    for longest, side in sides.items():
        assert video_side_px(np.zeros((10, longest), np.uint8)) == side
