"""`mien.Client`, against a real server."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from tests.service.conftest import KEY, PHOTO, running

import mien


@pytest.fixture
def client(server):
    with mien.Client(server.url) as one:
        yield one


def test_a_photo_is_read_from_a_path_bytes_and_pixels(client, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(PHOTO)
    pixels = cv2.imdecode(np.frombuffer(PHOTO, np.uint8), 1)
    (of_path,) = client.read(path)
    (of_bytes,) = client.read(PHOTO)
    (of_pixels,) = client.read(pixels)
    assert isinstance(of_path, mien.Reading)
    assert of_path.source == str(path)
    assert of_bytes.source == of_pixels.source == ""
    for other in (of_bytes, of_pixels):
        assert (other.box, other.probabilities) == (of_path.box, of_path.probabilities)
    assert of_path.probability == max(of_path.probabilities.values())


def test_many_photos_and_crops_are_read_by_one_request(client, crops):
    empty = np.full((60, 80), 120, np.uint8)
    first, second = client.read_many([empty, PHOTO])
    assert (first, len(second), second[0].item) == ([], 1, 1)
    readings = client.read_crops(list(crops[:20]))
    expected = mien.Bundle("mien-xs").predict(crops[:20])[1]
    found = np.array([list(reading.probabilities.values()) for reading in readings])
    assert np.abs(found - expected).max() < 1e-3
    assert client.read_many([]) == []


def test_what_the_service_refuses_is_one_clear_line(client, tmp_path):
    with pytest.raises(mien.MienError, match=r"422 An image cannot be decoded: image 0 \(0\): "):
        client.read(b"no image")
    with pytest.raises(mien.MienError, match="has more than 8 images"):
        client.read_many([PHOTO] * 9)
    with pytest.raises(mien.MienError, match="cannot be read"):
        client.read(tmp_path / "missing.jpg")


def test_the_key_is_sent(locked):
    with mien.Client(locked.url, key=KEY) as client:
        assert client.model()["name"] == "mien-xs"
    with mien.Client(locked.url) as client, pytest.raises(mien.MienError, match="401 The API key"):
        client.model()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "http://[", "ftp://127.0.0.1"])
def test_a_service_that_is_not_there_is_one_clear_line(url):
    with pytest.raises(mien.MienError, match="no reply"), mien.Client(url) as client:
        client.model()


def test_a_busy_service_is_asked_again(tmp_path):
    with running(tmp_path, "--queue", 1) as server, ThreadPoolExecutor(4) as pool:
        with mien.Client(server.url, retries=30) as client:
            each = pool.map(lambda _: client.read(PHOTO), range(4))
            assert [len(readings) for readings in each] == [1] * 4


def test_the_client_imports_no_server():
    program = (
        "import mien, sys; mien.Client; "
        "print({'fastapi', 'uvicorn', 'torch', 'onnxruntime'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "set()"


def test_without_httpx_it_says_what_to_install():
    program = (
        "import sys; sys.modules['httpx'] = None\n"
        "import mien\n"
        "try:\n    mien.Client\nexcept mien.MienError as error:\n    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'mien[serve]'" in ran.stdout
