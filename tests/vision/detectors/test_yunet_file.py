"""Finding and downloading YuNet's file, from a server on loopback."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mien.errors import MienError
from mien.vision.detectors import _yunet_file as yunet
from mien.vision.detectors.base import choose_detector


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
    [(b"", "the server says 404"), (b"a captive portal", "sent another file than")],
)
def test_what_cannot_be_fetched_is_not_kept(planted, cache, server, content, said):
    server.content = content
    with pytest.raises(MienError) as error:
        yunet.fetch_yunet(server.url)
    assert said in str(error.value)
    assert "--detector-model PATH" in str(error.value)
    assert [path.name for path in cache.iterdir()] == []


def test_reading_never_downloads_it(planted, cache, server, monkeypatch):
    server.content = planted.read_bytes()
    monkeypatch.setattr(yunet, "URL", server.url)
    assert choose_detector("auto").name == "haar"
    with pytest.raises(MienError, match=r"mien fetch, or .* --detector-model PATH"):
        choose_detector("yunet")
    assert server.asked == 0
    yunet.fetch_yunet()
    assert choose_detector("auto").name == choose_detector("yunet").name == "yunet"
