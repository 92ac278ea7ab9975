from __future__ import annotations

import gc
import gzip
import io
import json
import socket
import tempfile
import threading
import time
import zipfile
import zlib
from contextlib import contextmanager, suppress

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

PHOTO = encoded(picture(), ".png")


def answer_head(handler, status: int = 200, **headers) -> None:
    """Send the head of an answer; underscores in the names of headers are hyphens."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()


def send_chunked(handler, content: bytes, kind: str) -> None:
    handler.protocol_version = "HTTP/1.1"
    answer_head(handler, Content_Type=kind, Transfer_Encoding="chunked", Connection="close")
    for start in range(0, len(content), 1000):
        part = content[start : start + 1000]
        handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


@contextmanager
def counting(answer):
    """Serve, and list the paths that mien asks for, without those that FFmpeg asks for."""
    asked = []

    def counted(handler):
        if "mien" in handler.headers["User-Agent"]:
            asked.append(handler.path)
        answer(handler)

    with serving(counted) as address:
        yield address, asked


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


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain", "video/mp4", ""])
def test_a_photo_is_known_by_its_bytes_and_asked_for_once(kind):
    def answer(handler):
        headers = {"Content_Type": kind} if kind else {}
        answer_head(handler, Content_Length=len(PHOTO), **headers)
        handler.wfile.write(PHOTO)

    with counting(answer) as (address, asked):
        for path in ("/object?id=7", "/film.mp4", "/page.html"):
            (frame,) = opened = open_source(address + path)
            assert opened.kind == "photos"
            np.testing.assert_array_equal(frame.image, picture())
            assert len(list(opened)) == 1  # a second time too
        assert len(asked) == 3


@pytest.mark.parametrize("kind", ["video/x-msvideo", "application/octet-stream", "image/jpeg", ""])
@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_video_at_an_address_is_read_whole(kind, suffix, tmp_path, monkeypatch):
    content = write_video(tmp_path / f"film{suffix}").read_bytes()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with counting(lambda handler: send(handler, content, kind)) as (address, asked):
        with open_source(f"{address}/film{suffix}") as opened:
            assert (opened.kind, opened.total) == ("video", 40)
            frames = list(opened)
            assert [frame.index for frame in frames] == list(range(40))
            assert {frame.source for frame in frames} == {f"{address}/film{suffix}"}
        assert len(list(opened)) == 40  # a second time too
    assert len(asked) == 1
    del opened
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == [f"film{suffix}"]


def test_a_video_of_unstated_length_is_read_whole(tmp_path):
    content = write_video(tmp_path / "film.mp4").read_bytes()
    with counting(lambda handler: send_chunked(handler, content, "video/mp4")) as (address, asked):
        with open_source(f"{address}/film") as opened:
            assert (opened.kind, len(list(opened))) == ("video", 40)
    assert len(asked) == 1


def test_a_video_larger_than_the_limit_is_refused(tmp_path, monkeypatch):
    content = write_video(tmp_path / "film.avi", size=(640, 480), frames=600).read_bytes()
    assert len(content) > 1 << 20
    monkeypatch.setenv("MIEN_MAX_VIDEO_MB", "1")
    with serving(lambda handler: send(handler, content, "video/x-msvideo")) as address:
        with pytest.raises(SourceError, match="a video of more than 1 MB; raise the limit"):
            open_source(f"{address}/film.avi")


def test_a_download_ends_when_it_is_told_to(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = write_video(tmp_path / "film.avi").read_bytes()
    over = threading.Event()

    def answer(handler):
        answer_head(handler, Content_Type="video/x-msvideo", Content_Length=1 << 30)
        handler.wfile.write(content)
        while not over.wait(0.05):
            handler.wfile.write(bytes(1000))

    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with serving(answer) as address:
        begun = time.monotonic()
        assert list(open_source(f"{address}/film.avi", stop=stop.is_set)) == []
        over.set()
    assert time.monotonic() - begun < 3
    assert [path.name for path in tmp_path.iterdir()] == ["film.avi"]


@pytest.mark.parametrize("kind", ["multipart/x-mixed-replace; boundary=frame", "text/plain"])
def test_a_stream_of_pictures_is_live_whatever_its_type(kind):
    def answer(handler):
        answer_head(handler, Content_Type=kind)
        jpeg = encoded(picture())
        for _ in range(200):
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            handler.wfile.write(head.encode() + jpeg + b"\r\n")
            time.sleep(0.005)

    with counting(answer) as (address, asked):
        with open_source(f"{address}/camera", retries=0) as opened:
            assert opened.kind == "live"
            assert next(iter(opened)).image.shape == (48, 64, 3)
        assert len(asked) == 1  # FFmpeg asks for itself


def test_jpegs_without_end_are_no_photo():
    def answer(handler):
        answer_head(handler, Content_Type="application/octet-stream")
        jpeg = encoded(picture())
        for _ in range(400):
            handler.wfile.write(jpeg)
            time.sleep(0.002)

    with counting(answer) as (address, asked):
        with pytest.raises(SourceError, match="JPEGs one after another"):
            open_source(f"{address}/camera")
        assert len(asked) == 1


def test_a_photo_of_unstated_length_with_a_preview_after_it_is_a_photo():
    jpeg = encoded(picture())
    with serving(lambda handler: send_chunked(handler, jpeg + jpeg, "image/jpeg")) as address:
        opened = open_source(f"{address}/a")
        assert opened.kind == "photos"
        assert len(list(opened)) == 1


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.jpg", PHOTO)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<!DOCTYPE html><title>Log in</title>", "a web page"),
        (b"\n  <html>", "a web page"),
        (json.dumps({"error": "expired"}).encode(), "a JSON file"),
        (zipped(), "a ZIP archive"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (b"8BPS\0\1" + bytes(30), r"a Photoshop file \(PSD\)"),
        (b"ID3\4\0\0\0\0\0\x21" + bytes(99), "an MP3 sound file"),
        (b"<?xml version='1.0'?><MPD></MPD>", "a DASH manifest"),
        (b"", "an empty answer"),
        (bytes(5000), "a file of zeros"),
        (b"\x8b\x13\x99\xff" * 2000, "an answer of type image/jpeg, in an unknown format"),
    ],
)
@pytest.mark.parametrize("path", ["/a.jpg", "/live"])
def test_what_is_no_picture_is_named_and_not_asked_for_again(content, expected, path):
    with counting(lambda handler: send(handler, content, "image/jpeg")) as (address, asked):
        begun = time.monotonic()
        with pytest.raises(SourceError, match=f"{path}: {expected}, expected a picture") as raised:
            open_source(address + path)
        assert "\n" not in str(raised.value)
        assert asked == [path]
        assert time.monotonic() - begun < 2


def test_an_answer_without_content_is_said():
    with serving(lambda handler: answer_head(handler, 204)) as address:
        with pytest.raises(SourceError, match="an empty answer"):
            open_source(f"{address}/a.jpg")


def test_redirects_are_followed_and_loops_are_one_line():
    def answer(handler):
        if handler.path == "/loop":
            answer_head(handler, 302, Location="/loop", Content_Length=0)
        elif handler.path.startswith("/to-"):
            where = {
                "/to-photo": "/ü b.png",
                "/to-file": "file:///etc/passwd",
                "/to-ftp": "ftp://h/a",
            }
            answer_head(handler, 302, Location=where[handler.path].encode().decode("latin-1"),
                        Content_Length=0)  # fmt: skip
        else:
            send(handler, PHOTO, "image/png")

    with counting(answer) as (address, asked):
        (frame,) = open_source(f"{address}/to-photo")
        assert frame.source == f"{address}/to-photo"
        assert asked == ["/to-photo", "/%C3%BC%20b.png"]
        for path in ("/loop", "/to-file", "/to-ftp"):
            with pytest.raises(SourceError, match=path) as raised:
                open_source(address + path)
            assert "\n" not in str(raised.value)


def test_servers_that_refuse_the_name_of_python_answer():
    def answer(handler):
        if "Python" in handler.headers["User-Agent"]:
            send(handler, b"", "text/plain", 403)
        else:
            send(handler, PHOTO, "image/png")

    with serving(answer) as address:
        assert len(list(open_source(f"{address}/a.png"))) == 1


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress(PHOTO)), ("deflate", zlib.compress(PHOTO)), ("identity", PHOTO),
     ("GZIP", gzip.compress(PHOTO))],
)  # fmt: skip
def test_compressed_answers_are_unpacked(encoding, packed):
    def answer(handler):
        answer_head(handler, Content_Encoding=encoding, Content_Length=len(packed))
        handler.wfile.write(packed)

    with serving(answer) as address:
        (frame,) = open_source(f"{address}/a.png")
    np.testing.assert_array_equal(frame.image, picture())


@pytest.mark.parametrize(
    ("encoding", "content", "expected"),
    [
        ("br", b"\x8b\x13", "compressed by 'br'"),
        ("gzip", b"I am text", "compressed by gzip, and damaged"),
        ("gzip", gzip.compress(PHOTO + bytes(50_000_000)), "too large for a picture"),
    ],
)
def test_compressed_answers_that_cannot_be_read_are_said(encoding, content, expected):
    def answer(handler):
        answer_head(handler, Content_Encoding=encoding, Content_Length=len(content))
        handler.wfile.write(content)

    with serving(answer) as address:
        with pytest.raises(SourceError, match=expected):
            open_source(f"{address}/a.png", max_pixels=10_000)


def test_an_answer_that_breaks_off_is_read_as_far_as_it_came(tmp_path):
    content = encoded(np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8), ".png")

    def answer(handler):
        if handler.path == "/chunked":
            handler.protocol_version = "HTTP/1.1"
            answer_head(handler, Transfer_Encoding="chunked")
            handler.wfile.write(f"{len(content):x}\r\n".encode() + content[:-2000])
        else:
            answer_head(handler, Content_Length=len(content))
            handler.wfile.write(content[:-2000])
        handler.connection.shutdown(socket.SHUT_RDWR)

    with serving(answer) as address:
        for path in ("/short", "/chunked"):
            (frame,) = opened = open_source(address + path)
            assert frame.image.shape == (90, 90, 3)
            assert "damaged or cut off" in str(opened.failures[0])


@pytest.mark.parametrize("where", ["head", "body", "chunk"])
def test_an_answer_that_drips_ends(where):
    def answer(handler):
        send_slowly = {
            "head": b"HTTP/1.0 200 OK\r\nX: " + b"x" * 99,
            "body": b"",
            "chunk": b"",
        }[where]
        if where == "body":
            answer_head(handler, Content_Length=len(PHOTO))
            send_slowly = PHOTO
        elif where == "chunk":
            handler.protocol_version = "HTTP/1.1"
            answer_head(handler, Transfer_Encoding="chunked")
            send_slowly = b"0" * 99
        for byte in send_slowly:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.15)

    with serving(answer) as address:
        begun = time.monotonic()
        with pytest.raises(SourceError, match="does not answer"):
            open_source(f"{address}/a.png", timeout_s=0.2)
        assert time.monotonic() - begun < 3


def test_a_server_that_falls_silent_is_said():
    over = threading.Event()

    def answer(handler):
        answer_head(handler, Content_Length=len(PHOTO))
        handler.wfile.write(PHOTO[:100])
        over.wait(10)

    with serving(answer) as address:
        with pytest.raises(SourceError, match=r"sent 100 bytes, and then nothing for 0\.2 s"):
            open_source(f"{address}/a.png", timeout_s=0.2)
        over.set()


def test_hosts_need_not_be_ascii_or_ipv4():
    seen = []

    def answer(handler):
        seen.append(handler.headers["Host"])
        send(handler, PHOTO, "image/png")

    with serving(answer) as address:
        port = address.rpartition(":")[2]
        (frame,) = open_source(f"http://localhost:{port}/a b.png#top")
        assert frame.source == f"http://localhost:{port}/a b.png#top"
        for host in ("münchen.invalid", "a..b", "x" * 70 + ".invalid"):
            with pytest.raises(SourceError, match=host[:9]) as raised:
                open_source(f"http://me:secret@{host}:{port}/a.png", timeout_s=2)
            assert "secret" not in str(raised.value)
    for wrong in ("http://127.0.0.1:99999/a", "http:///a.jpg", "http://", "http://[::1/a",
                  "http://me:secret@[::1]:1/a", "http://a b/c"):  # fmt: skip
        with pytest.raises(SourceError) as raised:
            open_source(wrong, timeout_s=2)
        assert "secret" not in str(raised.value)
        assert "\n" not in str(raised.value)


def test_what_is_no_web_server_is_said():
    server = socket.create_server(("127.0.0.1", 0))

    def greet():
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                connection.close()

    threading.Thread(target=greet, daemon=True).start()
    port = server.getsockname()[1]
    for scheme in ("http", "https"):
        with pytest.raises(SourceError) as raised:
            open_source(f"{scheme}://127.0.0.1:{port}/a.jpg", timeout_s=2)
        assert "\n" not in str(raised.value)
    server.close()


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
            (f"{address}/text", "a text file, expected a picture, a video or a stream"),
            (f"{address}/bad.jpg", "a text file, expected a picture"),
            (f"{address}/gone.jpg", "404"),
            (f"{address}/slow", r"does not answer within 0\.4 s"),
            ("http://127.0.0.1:9/a.jpg", "does not answer"),
            ("http://127.0.0.1:port/a.jpg", "check the address"),
            ("rtsp://user:secret@127.0.0.1:9/a", "no video came within"),
            ("http://user:1#secret@127.0.0.1:9/a", "http://127.0.0.1:9/a: "),
            ("ftp://127.0.0.1/a.jpg", "ftp:// is not supported"),
            ("gopher://127.0.0.1/a.jpg", "write its path"),
            ("http://me:secret@[::1/a.jpg", "not a valid address"),
        ):
            with pytest.raises(SourceError, match=expected) as raised:
                list(open_source(source, timeout_s=0.4 if source.endswith("slow") else 10))
            assert "secret" not in str(raised.value)
