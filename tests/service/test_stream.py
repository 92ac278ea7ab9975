"""The WebSocket, on a real server."""

from __future__ import annotations

import base64
import json
import time

import cv2
import httpx
import numpy as np
import pytest
from tests.service.conftest import KEY, PHOTO, problem
from tests.waiting import wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


def address(server) -> str:
    return f"ws://127.0.0.1:{server.port}/v1/stream"


def opened(server, **options):
    return connect(address(server), max_size=1 << 20, **options)


@pytest.fixture(autouse=True)
def no_stream_is_left(server):
    """The server forgets every stream, and has failed in none."""
    yield
    wait_until(lambda: "mien_streams 0.0" in httpx.get(f"{server.url}/metrics").text, 15)
    assert "Traceback" not in server.text()
    assert "127.0.0.1:" not in server.text().partition("running on")[2].partition("\n")[2]


def test_frames_are_read_and_faces_followed(server):
    with opened(server) as socket:
        replies = []
        for shift in range(4):
            photo = cv2.imdecode(np.frombuffer(PHOTO, np.uint8), 1)
            moved = np.roll(photo, shift, axis=1)
            socket.send(cv2.imencode(".jpg", moved)[1].tobytes())
            replies.append(json.loads(socket.recv(20)))
    assert [reply["frame"] for reply in replies] == [0, 1, 2, 3]
    assert {face["track"] for reply in replies for face in reply["faces"]} == {1}
    assert all(len(reply["faces"]) == 1 for reply in replies)
    times = [reply["seconds"] for reply in replies]
    assert times == sorted(times)
    assert replies[0]["latency_ms"] > 0
    assert (replies[0]["width"], replies[0]["height"], replies[0]["dropped"]) == (160, 160, 0)


def test_the_newest_frame_wins_in_a_flood(server):
    before = server.memory_mb()
    count, frames = 600, []
    with opened(server) as socket:
        for _ in range(count):
            socket.send(PHOTO)
        while not frames or frames[-1]["frame"] < count - 1:
            frames.append(json.loads(socket.recv(20)))
    numbers = [frame["frame"] for frame in frames]
    assert numbers == sorted(numbers)
    assert len(frames) < count / 2
    dropped = count - len(frames)
    assert frames[-1]["dropped"] == dropped
    wait_until(lambda: any(line.get("frames") == count for line in server.lines()), 15)
    told = [line for line in server.lines() if line.get("frames") == count]
    assert (told[0]["dropped"], told[0]["reason"]) == (dropped, "the client left")
    assert server.memory_mb() - before < 50


def test_a_stream_does_not_keep_requests_from_their_turn(server):
    with opened(server) as socket:
        for _ in range(100):
            socket.send(PHOTO)
        started = time.monotonic()
        kind = {"Content-Type": "image/jpeg"}
        reply = httpx.post(f"{server.url}/v1/read/crops", content=PHOTO, headers=kind, timeout=20)
        assert reply.status_code == 200
        assert time.monotonic() - started < 5


def test_a_frame_that_is_no_image_is_named_and_the_stream_goes_on(server):
    with opened(server) as socket:
        socket.send(b"no image")
        reply = json.loads(socket.recv(20))
        assert reply["frame"] == 0
        assert reply["problem"]["type"] == "urn:mien:problem:not-an-image"
        socket.send(PHOTO)
        assert len(json.loads(socket.recv(20))["faces"]) == 1


def test_frames_that_are_never_images_end_the_stream(server):
    with opened(server) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(100):
                socket.send(b"no image")
                socket.recv(20)
    assert closed.value.rcvd.code == 1008
    assert "no images" in closed.value.rcvd.reason


def test_text_is_no_frame(server):
    with opened(server) as socket:
        socket.send("hello")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(20)
    assert (closed.value.rcvd.code, "binary" in closed.value.rcvd.reason) == (1008, True)


def test_a_frame_that_is_too_large_ends_the_stream(server):
    with opened(server) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.send(b"x" * (3 << 20))
            socket.recv(20)
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1009


def test_a_stream_without_frames_is_closed(server):
    started = time.monotonic()
    with opened(server) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(20)
    assert closed.value.rcvd.reason == "no frame for 1.5 s"
    assert time.monotonic() - started < 10


def test_a_client_that_takes_no_reply_is_let_go(server):
    """It sends on and on; the server holds one frame, and its own replies are few bytes."""
    before = server.memory_mb()
    with opened(server, compression=None, max_queue=1) as socket:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            socket.send(PHOTO)
        assert server.memory_mb() - before < 50
        assert httpx.get(f"{server.url}/healthz", timeout=5).status_code == 200
        socket.socket.shutdown(2)


def test_too_many_streams_are_refused(server):
    with opened(server), opened(server):
        with pytest.raises(InvalidStatus) as refused, opened(server):
            pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"] == "1"
        assert b"urn:mien:problem:busy" in refused.value.response.body


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_pages_of_other_sites_cannot_open_a_stream(server, origin):
    with (
        pytest.raises(InvalidStatus) as refused,
        opened(server, additional_headers={"Origin": origin}),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_a_stream_needs_the_key(locked):
    for key in ("", "wrong", KEY[:-1]):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with pytest.raises(InvalidStatus) as refused, opened(locked, additional_headers=headers):
            pass
        assert refused.value.response.status_code == 401
    with opened(locked, additional_headers={"Authorization": f"Bearer {KEY}"}) as socket:
        socket.send(PHOTO)
        assert json.loads(socket.recv(20))["width"] == 160


def test_a_page_sends_the_key_as_a_subprotocol_which_is_not_sent_back(locked):
    coded = base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("=")
    protocols = ["mien.stream.1", f"mien.key.{coded}"]
    with opened(locked, subprotocols=protocols) as socket:
        assert socket.subprotocol == "mien.stream.1"
        assert coded not in str(socket.response.headers)
        socket.send(PHOTO)
        assert json.loads(socket.recv(20))["width"] == 160
    for wrong in ("mien.key.%%%", "mien.key.", f"mien.key.{coded[:-2]}"):
        both = ["mien.stream.1", wrong]
        with pytest.raises(InvalidStatus), opened(locked, subprotocols=both):
            pass


def test_the_page_of_streams_is_no_page(server):
    problem(httpx.get(f"{server.url}/v1/stream"), 404, "not-found")
