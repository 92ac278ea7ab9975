"""Hostile input: each gets a problem document in time, and the server goes on."""

from __future__ import annotations

import base64
import socket
import struct
import subprocess
import sys
import time
import zlib

import httpx
import numpy as np
import pytest
from tests.service.conftest import KEY, MIEN, PHOTO, png, problem, running


@pytest.fixture(autouse=True)
def server_goes_on(server):
    """The server reads after each test as before it."""
    yield
    kind = {"Content-Type": "image/jpeg"}
    assert httpx.post(f"{server.url}/v1/read/crops", content=PHOTO, headers=kind).is_success
    assert "Traceback" not in server.text()


def talk(server, sent: bytes, *, seconds: float = 20) -> bytes:
    """Return all that the server answers to bytes on a connection of its own."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        connection.sendall(sent)
        return drain(connection)


def drain(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def head(server, *lines: str, path: str = "/v1/read") -> bytes:
    fixed = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", *lines]
    return "\r\n".join([*fixed, "", ""]).encode("latin-1")


class TestKeys:
    @pytest.mark.parametrize(
        "given",
        ["", "Bearer", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x", f"Bearer {KEY[1:]}"],
    )
    def test_wrong_keys_are_refused(self, locked, given):
        headers = {"Authorization": given} if given else {}
        for method, path in (("POST", "/v1/read"), ("GET", "/v1/model"), ("GET", "/metrics")):
            reply = httpx.request(method, locked.url + path, headers=headers)
            problem(reply, 401, "no-key")
            assert reply.headers["www-authenticate"] == "Bearer"

    def test_the_right_key_is_taken_and_the_page_needs_none(self, locked):
        headers = {"Authorization": f"Bearer {KEY}"}
        assert httpx.get(f"{locked.url}/v1/model", headers=headers).status_code == 200
        for path in ("/", "/docs", "/healthz", "/readyz", "/openapi.json"):
            assert httpx.get(locked.url + path).status_code == 200
        assert KEY not in locked.text()

    def test_keys_are_compared_in_constant_time(self):
        """The time of `compare_digest` over digests, whatever the key is like."""
        from starlette.datastructures import Headers

        from mien.service import security

        compared = []
        digest = security.hmac.compare_digest

        def spy(one, other):
            compared.append((len(one), len(other)))
            return digest(one, other)

        security.hmac.compare_digest = spy
        try:
            for given in (KEY, "x", "x" * 100_000, KEY[:-1]):
                headers = Headers({"authorization": f"Bearer {given}"})
                if given == KEY:
                    security.Key(KEY).check(headers)
                else:
                    with pytest.raises(security.Problem):
                        security.Key(KEY).check(headers)
        finally:
            security.hmac.compare_digest = digest
        assert compared == [(32, 32)] * 4


class TestOtherSites:
    def test_pages_of_other_sites_are_refused(self, server, locked):
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"):
            reply = httpx.post(f"{server.url}/v1/read", content=PHOTO, headers={"Origin": origin})
            problem(reply, 403, "other-origin")
            assert "access-control-allow-origin" not in reply.headers
        own = httpx.get(f"{server.url}/healthz", headers={"Origin": server.url})
        assert own.status_code == 200
        preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        allowed = httpx.options(f"{locked.url}/v1/read", headers=preflight)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        refused = httpx.options(
            f"{locked.url}/v1/read", headers={**preflight, "Origin": "https://evil.example"}
        )
        problem(refused, 403, "other-origin")

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.nip.io"])
    def test_other_names_of_this_machine_are_refused(self, server, host):
        problem(httpx.get(f"{server.url}/", headers={"Host": host}), 421, "other-host")

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "[::1]:80", "127.0.0.1"])
    def test_names_of_this_machine_are_taken(self, server, host):
        assert httpx.get(f"{server.url}/healthz", headers={"Host": host}).status_code == 200


class TestBodies:
    def test_an_oversized_body_is_refused_before_it_is_read(self, server):
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(
                head(server, "Content-Length: 999999999999", "Content-Type: image/png")
            )
            received = b""
            while b"body-too-large" not in received:
                received += connection.recv(65536) or pytest.fail(str(received))
        assert b" 413 " in received.split(b"\r\n")[0]
        assert time.monotonic() - started < 1.5  # no byte of the body was sent

    def test_a_client_that_sends_an_oversized_body_gets_the_reply(self, server):
        reply = httpx.post(f"{server.url}/v1/read", files={"images": b"x" * (3 << 20)}, timeout=20)
        assert "2 MB" in problem(reply, 413, "body-too-large")["detail"]

    def test_an_oversized_body_of_unknown_length_is_cut_off(self, server):
        def parts():
            for _ in range(300):
                yield b"x" * 65536

        before = server.memory_mb()
        try:
            reply = httpx.post(
                f"{server.url}/v1/read",
                content=parts(),
                headers={"Content-Type": "image/jpeg"},
                timeout=20,
            )
            problem(reply, 413, "body-too-large")
        except httpx.TransportError:  # it was closed while the client still sent
            pass
        assert server.memory_mb() - before < 20

    def test_a_slow_body_is_cut_off(self, server):
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(
                head(server, "Content-Length: 1000", "Content-Type: image/jpeg") + b"x"
            )
            received = drain(connection)
        assert b" 408 " in received.split(b"\r\n")[0]
        assert 1 < time.monotonic() - started < 10

    def test_slow_drops_do_not_extend_the_time(self, server):
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(head(server, "Content-Length: 1000", "Content-Type: image/jpeg"))
            connection.settimeout(0.2)
            received = b""
            while time.monotonic() - started < 10:
                try:
                    connection.sendall(b"x")
                    received += connection.recv(65536)
                    break
                except TimeoutError:
                    continue
        assert b" 408 " in received.split(b"\r\n")[0]

    @pytest.mark.parametrize("cut", [10, 60, 120, 400, 1000, -1, -3, -30])
    def test_a_truncated_multipart_body_is_refused(self, http, cut):
        request = httpx.Request("POST", http.base_url, files={"images": ("a.jpg", PHOTO)})
        whole = request.read()
        reply = http.post(
            "/v1/read",
            content=whole.rstrip(b"\r\n")[:cut],
            headers={"Content-Type": request.headers["content-type"]},
        )
        problem(reply, 400, "malformed-body")

    def test_a_body_that_ends_before_its_length_does_no_harm(self, server):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(
                head(server, "Content-Length: 1000", "Content-Type: image/jpeg") + PHOTO[:50]
            )

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Content-Type": ""},
            {"Content-Type": "text/plain"},
            {"Content-Type": "multipart/mixed; boundary=x"},
            {"Content-Type": "image"},
            {"Content-Type": "application/x-www-form-urlencoded"},
        ],
    )
    def test_other_types_are_refused(self, http, headers):
        problem(http.post("/v1/read", content=b"a=b", headers=headers), 415, "unknown-media-type")

    @pytest.mark.parametrize(
        "boundary", ["charset=utf-8", "boundary=", "boundary=" + "x" * 4000, 'boundary="']
    )
    def test_odd_boundaries_are_refused(self, http, boundary):
        kind = f"multipart/form-data; {boundary}"
        reply = http.post("/v1/read", content=b"--x\r\n", headers={"Content-Type": kind})
        problem(reply, 400, "malformed-body")

    def test_fields_that_are_no_files_are_refused(self, http):
        files = {"images": ("a.jpg", PHOTO)}
        reply = http.post("/v1/read", files=files, data={"detector": "none"})
        assert "no file" in problem(reply, 400, "malformed-body")["detail"]

    def test_a_part_with_many_headers_is_refused(self, http):
        junk = "".join(f"X-{i}: {'y' * 200}\r\n" for i in range(5000))
        body = f"--x\r\nContent-Disposition: form-data; filename=a\r\n{junk}\r\n\r\n--x--\r\n"
        reply = http.post(
            "/v1/read",
            content=body.encode(),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
        assert reply.status_code in (400, 422)

    @pytest.mark.parametrize(
        ("content", "status", "kind"),
        [
            (b"", 400, "malformed-body"),
            (b"{", 400, "malformed-body"),
            (b"\xff\xfe", 400, "malformed-body"),
            (b"[" * 500_000, 400, "malformed-body"),
            (b'{"images":' * 100_000, 400, "malformed-body"),
            (b'{"images": ' + b"[" * 90_000 + b"]" * 90_000 + b"}", 400, "malformed-body"),
            (b"null", 422, "invalid-body"),
            (b"{}", 422, "invalid-body"),
            (b'{"images": []}', 422, "invalid-body"),
            (b'{"images": [{"data": 1e999}]}', 422, "invalid-body"),
            (b'{"images": [{"data": "%%%"}]}', 422, "invalid-body"),
            ('{"images": [{"data": "ä"}]}'.encode(), 422, "invalid-body"),
            (b'{"images": [{"data": "\\ud800"}]}', 400, "malformed-body"),
            (b'{"images": [{"data": "", "path": "/etc/passwd"}]}', 422, "invalid-body"),
            (b'{"images": [{"data": ""}]}', 422, "not-an-image"),
        ],
    )
    def test_odd_json_is_refused(self, http, content, status, kind):
        reply = http.post("/v1/read", content=content, headers={"Content-Type": "application/json"})
        problem(reply, status, kind)
        assert len(reply.content) < 2000


class TestImages:
    def test_a_decompression_bomb_is_not_decoded(self, server, http):
        rows = zlib.compress(bytes(30_001) * 3, 9)
        size = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", rows) + chunk(b"IEND")
        before = server.memory_mb()
        for path in ("/v1/read", "/v1/read/crops"):
            reply = http.post(path, files={"images": ("bomb.png", bomb)})
            detail = problem(reply, 413, "too-many-pixels")["detail"]
            assert "image 0 (bomb.png): 30,000x30,000 pixels" in detail
        assert server.memory_mb() - before < 50

    @pytest.mark.parametrize(
        "content",
        [b"", b"\0", b"GIF89a", b"<svg/>", b"\xff\xd8\xff", PHOTO[:500], b"%PDF-1.7", b"x" * 9999],
    )
    def test_what_is_no_image_is_named(self, http, content):
        files = [("images", ("good.jpg", PHOTO)), ("images", ("bad.jpg", content))]
        document = problem(http.post("/v1/read", files=files), 422, "not-an-image")
        assert document["detail"].startswith("image 1 (bad.jpg): ")
        assert document["images"] == [document["detail"]]

    def test_ten_thousand_tiny_images_are_too_many(self, http):
        tiny = png(np.zeros((1, 1), np.uint8))
        body = b"".join(
            b'--x\r\nContent-Disposition: form-data; name="i"; filename="a"\r\n\r\n'
            + tiny
            + b"\r\n"
            for _ in range(10_000)
        )
        for path, most in (("/v1/read", 8), ("/v1/read/crops", 64)):
            reply = http.post(
                path,
                content=body + b"--x--\r\n",
                headers={"Content-Type": "multipart/form-data; boundary=x"},
            )
            assert f"{most} images" in problem(reply, 413, "too-many-images")["detail"]
        data = {"images": [{"data": base64.b64encode(tiny).decode()}] * 10_000}
        problem(http.post("/v1/read", json=data), 413, "too-many-images")

    def test_tiny_and_thin_images_are_read(self, http):
        for shape in ((1, 1), (1, 2000), (2000, 1), (2, 3)):
            content = png(np.zeros(shape, np.uint8))
            for path in ("/v1/read", "/v1/read/crops"):
                assert http.post(path, files={"images": ("a.png", content)}).status_code == 200

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("../../etc/passwd", "passwd"),
            ("..\\..\\windows\\win.ini", "win.ini"),
            ("/dev/sda", "sda"),
            ("a\x1b[31m.jpg", "a\\x1b[31m.jpg"),
            ("%2e%2e%2fpasswd", "%2e%2e%2fpasswd"),
            ("C:\\x\\", ""),
            ("x" * 1000, "x" * 255),
        ],
    )
    def test_names_of_files_are_only_shown(self, http, name, shown):
        data = base64.b64encode(PHOTO).decode()
        if len(name) <= 255:
            reply = http.post("/v1/read", json={"images": [{"data": data, "name": name}]})
        else:
            reply = http.post("/v1/read", files={"images": (name, PHOTO)})
        assert reply.json()["results"][0]["name"] == shown


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """Return a chunk of a PNG."""
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


class TestHeaders:
    @pytest.mark.parametrize(
        "sent",
        [
            b"\0\0\0\0\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA\x00B: c\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ],
    )
    def test_junk_is_refused(self, server, sent):
        try:
            received = talk(server, sent)
        except ConnectionError:  # closed while it was still sent
            return
        assert received.startswith(b"HTTP/1.1 400 ")
        assert b"Traceback" not in received

    @pytest.mark.parametrize("line", [b"X: y\r\n", b"X" * 60_000])
    def test_headers_without_an_end_are_cut_off(self, server, line):
        sent = 0
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            with pytest.raises(ConnectionError):
                while sent < 50 << 20:
                    connection.sendall(line * (60_000 // len(line)))
                    sent += 60_000
        assert sent < 10 << 20

    def test_odd_requests_that_can_be_read_get_a_reply(self, server):
        for start in (
            b"GET / HTTP/9.9\r\n",
            b"GET / HTTP/1.1\r\n folded: x\r\n",
            b"PRI * HTTP/2.0\r\n",
        ):
            received = talk(server, start + b"\r\nConnection: close\r\n\r\n")
            assert received[9:12] in (b"400", b"421")

    def test_headers_that_do_not_come_are_not_awaited(self, tmp_path):
        """The time is shorter here than it usually is."""
        shorter = "import mien.service.run as run; run._HEADERS_S = 0.4; "
        whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with running(tmp_path, program=shorter + MIEN) as server:
            for first in (b"", whole):  # the first request of a connection, and a later one
                started = time.monotonic()
                with socket.create_connection(("127.0.0.1", server.port), timeout=20) as one:
                    if first:
                        one.sendall(first)
                        assert one.recv(65536).startswith(b"HTTP/1.1 200 ")
                    one.sendall(b"GET / HT")
                    drain(one)
                assert time.monotonic() - started < 5
            assert talk(server, b"") == b""

    def test_bytes_that_are_not_ascii_do_no_harm(self, server):
        for line in (
            b"Authorization: Bearer \xff\xfe",
            b"Origin: \xff",
            b"Content-Type: \xff/\xff",
        ):
            start = b"POST /v1/read HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            received = talk(server, start + b"Content-Length: 0\r\n" + line + b"\r\n\r\n")
            assert received[9:12] in (b"400", b"403", b"415")

    @pytest.mark.parametrize(
        "path",
        [
            "/static/../settings.py", "/static/..%2f..%2fsettings.py", "/static/%2e%2e/app.py",
            "/static//etc/passwd", "/static/..\\..\\x", "/static/%00", "/..%2f..%2f..%2fetc/passwd",
            "/static/" + "a/" * 2000, "/static/" + "a" * 5000,
        ],
    )  # fmt: skip
    def test_no_path_leads_out_of_the_pages(self, server, path):
        received = talk(
            server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        assert received[9:12] in (b"404", b"400"), received[:300]


def test_schemathesis_finds_no_failure(server):
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
            *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
            *("--max-examples", "12", "--phases", "examples,coverage,fuzzing", "--seed", "1"),
            *("--workers", "1", "--no-color"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
