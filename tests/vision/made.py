"""Pictures, videos and servers that tests of sources make for themselves."""

from __future__ import annotations

import http.server
import io
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import skimage

DATA = Path(skimage.__file__).parent / "data"
ASTRONAUT = cv2.imread(str(DATA / "astronaut.png"))
ASTRONAUT_FACE = (177, 66, 272, 161)  # left, top, right, bottom of Eileen Collins's face, by eye
SIZE = (64, 48)  # width, height


def picture(shade: int = 100, size=SIZE) -> np.ndarray:
    """A smooth picture whose quarters differ, so that turned and swapped colours show."""
    image = np.full((size[1], size[0], 3), shade, np.uint8)
    image[: size[1] // 2, : size[0] // 2] = (200, 120, 20)
    return image


def encoded(image: np.ndarray, suffix: str = ".jpg") -> bytes:
    if suffix in (".gif", ".avif"):  # which OpenCV encodes from 4.12 on
        content = io.BytesIO()
        PIL.Image.fromarray(image[..., ::-1]).save(content, suffix[1:])
        return content.getvalue()
    return cv2.imencode(suffix, image)[1].tobytes()


def write_video(path: Path, frames: int = 40, fps: float = 20, size=SIZE) -> Path:
    """Frame n is a flat gray of 5 n + 20."""
    code = "mp4v" if path.suffix == ".mp4" else "MJPG"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), fps, size)
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), shade_of(number), np.uint8))
    writer.release()
    return path


def shade_of(number: int) -> int:
    return 20 + number * 5 % 200


@contextmanager
def serving(answer):
    """Serve on loopback; ``answer`` gets the handler. Gives the address without a path."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with suppress(OSError):  # the other side has gone
                answer(self)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def send(handler, content: bytes, kind: str, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def send_mjpeg(handler, numbers, pause: float = 0.005) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
    handler.end_headers()
    for number in numbers:
        jpeg = encoded(np.full((48, 64, 3), shade_of(number), np.uint8))
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        handler.wfile.write(head.encode() + jpeg + b"\r\n")
        time.sleep(pause)


@contextmanager
def silent_stream():
    """Serve a stream that gives ten frames, and then nothing for half a minute."""
    over = threading.Event()

    def answer(handler):
        send_mjpeg(handler, range(10))
        over.wait(30)

    with serving(answer) as address:
        yield f"{address}/live"
        over.set()


def overlap(left, right) -> float:
    """Return the intersection over union of two boxes."""
    width = min(left[2], right[2]) - max(left[0], right[0])
    height = min(left[3], right[3]) - max(left[1], right[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (left, right)]
    return shared / (sum(areas) - shared)
