from __future__ import annotations

import time

import numpy as np
import pytest
from tests.vision.made import (
    encoded,
    picture,
    send,
    serving,
    write_video,
)

from mien.errors import SourceError
from mien.vision.sources import open_picture, open_source
from mien.vision.sources.http import without_password


def test_a_picture_at_an_address_is_a_photo():
    seen = []

    def answer(handler):
        seen.append((handler.path, handler.headers.get("Authorization")))
        if handler.path == "/secret.jpg" and not handler.headers.get("Authorization"):
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="camera"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            kind = "application/octet-stream" if handler.path == "/raw.png" else "image/png"
            send(handler, encoded(picture(), ".png"), kind)

    with serving(answer) as address:
        for path in ("/snapshot?size=1", "/raw.png", "/ü ber.png"):
            (frame,) = opened = open_source(address + path)
            assert (opened.kind, frame.source) == ("photos", address + path)
            np.testing.assert_array_equal(frame.image, picture())
        with_password = address.replace("://", "://me:pass@") + "/secret.jpg"
        (frame,) = open_source(with_password)
        assert frame.source == f"{address}/secret.jpg"  # where no password is shown
        assert open_picture(f"{address}/raw.png")[1] == f"{address}/raw.png"
    assert seen[2][0] == "/%C3%BC%20ber.png"


def test_a_video_at_an_address_is_read_whole(tmp_path):
    content = write_video(tmp_path / "film.avi").read_bytes()
    with serving(lambda handler: send(handler, content, "video/x-msvideo")) as address:
        with open_source(f"{address}/film.avi") as opened:
            assert (opened.kind, opened.total) == ("video", 40)
            assert len(list(opened)) == 40


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:pa#s/s?@10.0.0.5/stream", "rtsp://10.0.0.5/stream"),
        ("rtsp://admin:p@ss@10.0.0.5:554/stream?a=1", "rtsp://10.0.0.5:554/stream?a=1"),
        ("http://me@host/a.jpg", "http://host/a.jpg"),
        ("http://host/@me/a.jpg", "http://host/@me/a.jpg"),
        ("http://host/a.jpg?size=1", "http://host/a.jpg?size=1"),
    ],
)
def test_no_password_is_shown(address, shown):
    assert without_password(address) == shown


def test_addresses_that_do_not_do_are_said():
    def answer(handler):
        if handler.path == "/page":
            send(handler, b"<html>", "text/html")
        elif handler.path == "/text":
            send(handler, b"I am text", "text/plain")
        elif handler.path == "/bad.jpg":
            send(handler, b"I am text", "image/jpeg")
        elif handler.path == "/slow":
            time.sleep(5)
        else:
            send(handler, b"", "text/plain", 404)

    with serving(answer) as address:
        for source, expected in (
            (f"{address}/page", "a web page"),
            (f"{address}/text", "no video came"),
            (f"{address}/bad.jpg", "cannot be decoded"),
            (f"{address}/gone.jpg", "404"),
            (f"{address}/slow", r"does not answer within 0\.4 s"),
            ("http://127.0.0.1:9/a.jpg", "does not answer"),
            ("http://127.0.0.1:port/a.jpg", "check the address"),
            ("rtsp://user:secret@127.0.0.1:9/a", "no video came within"),
            ("http://user:1#secret@127.0.0.1:9/a", "http://127.0.0.1:9/a: "),
            ("ftp://127.0.0.1/a.jpg", "ftp:// is not supported"),
            ("file:///a.jpg", "write its path"),
            ("http://me:secret@[::1/a.jpg", "not a valid address"),
        ):
            with pytest.raises(SourceError, match=expected) as raised:
                list(open_source(source, timeout_s=0.4 if source.endswith("slow") else 10))
            assert "secret" not in str(raised.value)
