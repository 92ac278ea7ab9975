from __future__ import annotations

import http.server
import io
import struct
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from mien.errors import SourceError
from mien.vision.source import open_picture, open_source

SIZE = (64, 48)  # width, height


def picture(shade: int = 100, size=SIZE) -> np.ndarray:
    """A smooth picture whose quarters differ, so that turned and swapped colours show."""
    image = np.full((size[1], size[0], 3), shade, np.uint8)
    image[: size[1] // 2, : size[0] // 2] = (200, 120, 20)
    return image


def encoded(image: np.ndarray, suffix: str = ".jpg") -> bytes:
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


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(picture(), ".png"))
    return path


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


# Photos


def test_path_text_bytes_array_and_pil_give_the_same_photo(photo):
    pil = PIL.Image.open(photo)
    for source in (photo, str(photo), photo.read_bytes(), picture(), pil):
        with open_source(source) as opened:
            assert (opened.kind, opened.total, opened.fps) == ("photos", 1, None)
            (frame,) = opened
            np.testing.assert_array_equal(frame.image, picture())
            assert (frame.index, frame.seconds) == (0, None)
            assert opened.failures == []
    assert next(iter(open_source(str(photo)))).source == str(photo)
    assert next(iter(open_source(picture()))).source == ""


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4)])
def test_gray_colour_and_alpha_arrays_are_taken(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (frame,) = open_source(array)
    np.testing.assert_array_equal(frame.image, array[..., :3] if array.ndim == 3 else array)


@pytest.mark.parametrize(
    "source",
    [np.zeros((5, 5, 3)), np.zeros((5, 5, 2), np.uint8), np.zeros(5, np.uint8),
     np.zeros((0, 5), np.uint8), np.zeros((2, 5, 5, 3), np.uint8)],
)  # fmt: skip
def test_other_arrays_are_refused(source):
    with pytest.raises(SourceError, match="expected uint8"):
        open_source(source)


@pytest.mark.parametrize("source", [None, 1.5, True, {}, object(), []])
def test_other_things_are_refused_with_what_is_taken(source):
    with pytest.raises(SourceError, match=r"expected a photo, a folder, .*camera's number"):
        open_source(source)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("P", "PNG"), ("P", "GIF"), ("RGBA", "PNG"),
     ("RGBA", "WEBP"), ("RGB", "BMP"), ("RGB", "TIFF")],
)  # fmt: skip
def test_colours_of_every_kind_of_file_become_blue_green_red(mode, kind, tmp_path):
    path = tmp_path / f"colour.{kind.lower()}"
    PIL.Image.new("RGB", SIZE, (200, 100, 50)).convert(mode).save(path)
    (frame,) = open_source(path)
    with PIL.Image.open(path) as opened:
        (from_pil,) = open_source(opened)
    for image in (frame.image, from_pil.image):
        assert image.shape == (48, 64, 3)
        assert image.dtype == np.uint8
        np.testing.assert_allclose(image.mean((0, 1)), (50, 100, 200), atol=4)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bits_become_8(suffix, tmp_path):
    path = tmp_path / f"deep{suffix}"
    path.write_bytes(encoded(np.full((48, 64), 100 * 257, np.uint16), suffix))
    (frame,) = open_source(path)
    (from_pil,) = open_source(PIL.Image.open(path))
    assert frame.image.shape == (48, 64, 3)
    assert abs(int(frame.image[0, 0, 0]) - 100) <= 1
    assert (from_pil.image == 100).all()


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_of_an_animated_image_the_first_picture_is_taken(kind, tmp_path):
    path = tmp_path / f"moving.{kind}"
    first, *rest = [PIL.Image.new("RGB", SIZE, (shade,) * 3) for shade in (40, 120, 200)]
    first.save(path, save_all=True, append_images=rest, duration=100)
    (frame,) = open_source(path)
    assert abs(frame.image.mean() - 40) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_comes_upright_from_file_and_from_pil(orientation, tmp_path):
    path = tmp_path / "turned.png"
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(picture()[..., ::-1]).save(path, exif=exif)
    (frame,) = open_source(path)
    (from_pil,) = open_source(PIL.Image.open(path))
    np.testing.assert_array_equal(from_pil.image, frame.image)
    assert frame.image.shape[:2] == ((64, 48) if orientation > 4 else (48, 64))


# Many


def test_a_folder_gives_its_photos_and_videos_by_name(tmp_path):
    for name, shade in (("b.JPG", 80), ("a.png", 40), (".hidden.png", 0)):
        (tmp_path / name).write_bytes(encoded(picture(shade), Path(name).suffix.lower()))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "inner.png").mkdir()
    (tmp_path / "inner.png" / "c.png").write_bytes(encoded(picture(), ".png"))
    with open_source(tmp_path) as opened:
        assert (opened.name, opened.kind, opened.total) == (str(tmp_path), "photos", 2)
        assert [Path(frame.source).name for frame in opened] == ["a.png", "b.JPG"]
        assert len(list(opened)) == 2  # a second time too
    write_video(tmp_path / "aa.avi", frames=3)
    with open_source(str(tmp_path)) as opened:
        assert (opened.kind, opened.total) == ("video", None)
        frames = [(Path(frame.source).name, frame.index, frame.seconds) for frame in opened]
    assert frames == [
        ("a.png", 0, None), ("aa.avi", 0, 0.0), ("aa.avi", 1, 0.05), ("aa.avi", 2, 0.1),
        ("b.JPG", 0, None),
    ]  # fmt: skip


def test_a_pattern_reaches_into_folders(tmp_path):
    for name in ("one/a.png", "one/two/b.png", "c.jpg", "d.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(encoded(picture(), ".png"))

    def names(pattern):
        return [Path(frame.source).name for frame in open_source(str(tmp_path / pattern))]

    assert names("**/*.png") == ["a.png", "b.png"]
    assert names("**/*") == ["c.jpg", "a.png", "b.png"]
    assert names("[c-d].*") == ["c.jpg"]
    odd = tmp_path / "e[1].png"
    odd.write_bytes(encoded(picture(), ".png"))
    assert names("e[1].png") == ["e[1].png"]  # a file of that name comes first


def test_of_several_a_bad_one_is_noted_and_the_others_are_read(photo, tmp_path):
    (tmp_path / "bad.jpg").write_text("I am text")
    (tmp_path / "zero.png").write_bytes(b"")
    wrong = np.zeros((4, 4), np.float32)
    empty = tmp_path / "empty"
    empty.mkdir()
    gone = tmp_path / "gone.mp4"
    sources = [photo, tmp_path / "bad.jpg", wrong, tmp_path / "zero.png", empty, gone, picture()]
    with open_source(sources) as opened:
        assert [frame.source for frame in opened] == [str(photo), ""]
        said = [str(failure) for failure in opened.failures]
    expected = ["cannot be decoded", "number 3: ", "is empty", "folder without", "no such file"]
    assert len(said) == len(expected)
    for line, part in zip(said, expected, strict=True):
        assert part in line
        assert "\n" not in line


def test_a_list_of_one_is_that_one(photo, tmp_path):
    assert open_source([str(photo)]).name == str(photo)
    with pytest.raises(SourceError, match="no such file"):
        open_source((tmp_path / "gone.jpg",))


# Bad files


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("text.jpg", b"I am text", "cannot be decoded"),
        ("zero.jpg", b"", "is empty"),
        ("half.png", encoded(picture(), ".png")[:90], "cut off"),
        ("head.jpg", encoded(picture())[:100], "cannot be decoded"),
        ("half.webp", encoded(picture(), ".webp")[:50], "cannot be decoded"),
        ("noise.png", b"\x89PNG\r\n\x1a\n" + bytes(50), "cut off"),
        ("text.mp4", b"I am text", "cannot be opened as a video"),
        ("zero.mp4", b"", "is empty"),
    ],
)
def test_a_bad_file_is_one_clear_line(name, content, expected, tmp_path, capfd):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=expected) as raised:
        list(open_source(path))
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""  # no library adds its own


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    for source, expected in (
        (tmp_path / "gone.jpg", "no such file, expected a photo"),
        (tmp_path / "empty", "folder without a photo or video"),
        (str(tmp_path / "*.jpg"), "pattern that matches no photo or video"),
        (tmp_path / ("long" * 100 + ".jpg"), "cannot be read"),
        (str(tmp_path / ("[long]*" * 60)), "matches no"),
        ("nul\0.jpg", "cannot be read"),
        ("~nobody-of-this-name/a.jpg", "no such user"),
    ):
        with pytest.raises(SourceError, match=expected):
            open_source(source)


@pytest.mark.parametrize("orientation", [0, 6])
def test_what_there_is_of_a_cut_off_jpeg_is_used_and_said(orientation, tmp_path):
    path = tmp_path / "half.jpg"
    exif = PIL.Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    rng = np.random.default_rng(0)
    whole = cv2.resize(rng.integers(0, 255, (8, 8, 3), np.uint8), (200, 200))
    PIL.Image.fromarray(whole).save(path, exif=exif)
    (frame,) = opened = open_source(path)
    assert opened.failures == []
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    (half,) = opened = open_source(path)
    assert "cut off" in str(opened.failures[0])
    upper = (slice(None), slice(110, None)) if orientation else slice(0, 90)
    np.testing.assert_array_equal(half.image[upper], frame.image[upper])


def bomb(width: int, height: int, exif: bool = False) -> bytes:
    """A small PNG that promises many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    turned = chunk(b"eXIf", b"II*\0" + bytes(20)) if exif else b""
    body = chunk(b"IDAT", zlib.compress(bytes(10_000_000), 9))
    return b"\x89PNG\r\n\x1a\n" + header + turned + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("exif", [False, True])
def test_a_bomb_is_refused_by_its_header(exif, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(20_000, 20_000, exif))
    begun = time.monotonic()
    with pytest.raises(SourceError, match=r"400\.0 million pixels.*--max-pixels 400000000"):
        list(open_source(path))
    assert time.monotonic() - begun < 0.5


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".gif", ".avif"])
def test_the_limit_can_be_raised(suffix, tmp_path):
    path = tmp_path / f"large{suffix}"
    path.write_bytes(encoded(picture(size=(80, 60)), suffix))
    for source in (path, path.read_bytes()):
        with pytest.raises(SourceError, match="--max-pixels 4800"):
            list(open_source(source, max_pixels=4799))
        (frame,) = open_source(source, max_pixels=4800)
        assert frame.image.shape == (60, 80, 3)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}, {"save_all": True}])
def test_the_limit_knows_every_kind_of_webp(options):
    first, second = (PIL.Image.new("RGB", (80, 60), (shade,) * 3) for shade in (40, 200))
    more = {"append_images": [second]} if "save_all" in options else {}
    content = io.BytesIO()
    first.save(content, "WEBP", **options, **more)
    cut_off = content.getvalue()[:60]  # which cannot be decoded: only the header speaks
    with pytest.raises(SourceError, match="--max-pixels 4800"):
        list(open_source(cut_off, max_pixels=4799))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".gif"])
def test_the_limit_is_checked_before_decoding(suffix):
    content = encoded(picture(size=(80, 60)), suffix)
    with pytest.raises(SourceError, match="--max-pixels 4800"):
        list(open_source(content[: len(content) - 40], max_pixels=4799))


def test_the_limit_holds_for_pil_and_video(tmp_path):
    with pytest.raises(SourceError, match="--max-pixels"):
        list(open_source(PIL.Image.new("RGB", (80, 60)), max_pixels=4799))
    with pytest.raises(SourceError, match="--max-pixels"):
        open_source(write_video(tmp_path / "a.avi", frames=2), max_pixels=64 * 48 - 1)


def test_a_file_far_too_long_for_a_picture_is_not_read(tmp_path):
    path = tmp_path / "film.jpg"
    with path.open("wb") as handle:
        handle.truncate(3 << 30)
    with pytest.raises(SourceError, match="too large for a picture"):
        list(open_source(path))


@pytest.mark.parametrize("name", ["фото 写真", "deep/" * 60 + "end"])
def test_names_may_be_long_and_need_not_be_ascii(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (folder / "é.png").write_bytes(encoded(picture(), ".png"))
    write_video(tmp_path / "v.avi", frames=2).rename(folder / "ü: 50%.avi")
    with open_source(folder) as opened:
        assert len(list(opened)) == 3
        assert opened.failures == []


# Videos


@pytest.mark.parametrize("name", ["film.mp4", "film.avi"])
def test_a_video_gives_every_frame_in_order(name, tmp_path):
    path = write_video(tmp_path / name)
    with open_source(path) as opened:
        assert (opened.name, opened.kind) == (str(path), "video")
        assert (opened.total, opened.fps) == (40, 20)
        for _ in range(2):
            frames = list(opened)
            assert [frame.index for frame in frames] == list(range(40))
            assert [frame.seconds for frame in frames] == pytest.approx(np.arange(40) / 20)
            shades = [frame.image.mean() for frame in frames]
            assert shades == pytest.approx([shade_of(n) for n in range(40)], abs=4)
            assert opened.failures == []


def test_the_seconds_of_a_video_are_its_own_where_its_rate_varies(tmp_path):
    path = write_video(tmp_path / "film.mp4", frames=12)
    content = bytearray(path.read_bytes())
    # The box that says how long frames last gets a second entry, and those around it 8 bytes more.
    at = content.index(b"stts")
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        start = content.index(kind) - 4
        content[start : start + 4] = struct.pack(
            ">I", int.from_bytes(content[start : start + 4]) + 8
        )
    lasts = int.from_bytes(content[at + 16 : at + 20])
    content[at + 8 : at + 20] = struct.pack(">IIIII", 2, 8, lasts, 4, 5 * lasts)
    path.write_bytes(content.replace(b"edts", b"free"))
    seconds = [frame.seconds for frame in open_source(path)]
    expected = [*np.arange(9) * 0.05, *(0.4 + np.arange(1, 4) * 0.25)]
    assert seconds == pytest.approx(expected)


def test_of_a_cut_off_video_what_there_is_is_read_and_then_said(tmp_path):
    path = write_video(tmp_path / "film.avi")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with open_source(path) as opened:
        count = len(list(opened))
        assert 5 < count < 35
        (failure,) = opened.failures
    assert f"only {count} of 40 frames" in str(failure)


def test_leaving_a_video_early_is_no_failure(tmp_path):
    path = write_video(tmp_path / "film.avi")
    with open_source(path) as opened:
        for frame in opened:
            if frame.index == 3:
                break
        assert opened.failures == []
    assert list(opened) == []  # closed is closed


def test_a_video_may_be_closed_from_another_thread(tmp_path):
    opened = open_source(write_video(tmp_path / "film.avi"))
    count = 0
    for _ in opened:
        count += 1
        if count == 5:
            closing = threading.Thread(target=opened.close)
            closing.start()
            closing.join()
    assert count == 5
    assert opened.failures == []


# Addresses and cameras


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


def test_addresses_that_do_not_do_are_said():
    def answer(handler):
        if handler.path == "/page":
            send(handler, b"<html>", "text/html")
        elif handler.path == "/text":
            send(handler, b"I am text", "text/plain")
        elif handler.path == "/bad.jpg":
            send(handler, b"I am text", "image/jpeg")
        elif handler.path == "/slow":
            time.sleep(1)
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
            ("ftp://127.0.0.1/a.jpg", "ftp:// is not read"),
            ("file:///a.jpg", "by its path"),
            ("http://me:secret@[::1/a.jpg", "no address"),
        ):
            with pytest.raises(SourceError, match=expected) as raised:
                list(open_source(source, timeout_s=0.4))
            assert "secret" not in str(raised.value)


@pytest.mark.parametrize("number", [99, "99", np.int64(99), 700, -1])
def test_a_camera_that_is_not_there_is_said(number):
    with pytest.raises(SourceError, match=r"camera -?\d+: "):
        open_source(number)


def test_a_stream_gives_the_newest_frame_and_counts_those_it_drops():
    with serving(lambda handler: send_mjpeg(handler, range(10_000))) as address:
        with open_source(f"{address}/live", timeout_s=2) as opened:
            assert (opened.kind, opened.total) == ("live", None)
            frames = []
            for frame in opened:
                frames.append(frame)
                if len(frames) == 5:
                    break
                time.sleep(0.1)  # slower than they come
        indices = [frame.index for frame in frames]
        assert min(np.diff(indices)) > 1
        assert opened.dropped >= indices[-1] + 1 - len(frames)
        assert 0 <= frames[0].seconds < 0.5
        assert all(0.05 < step < 2 for step in np.diff([frame.seconds for frame in frames]))
        assert opened.failures == []
        assert not [one for one in threading.enumerate() if one.name.startswith("mien")]
        assert list(opened) == []


def test_a_stream_that_breaks_is_opened_again_and_its_end_is_said():
    calls = []

    def answer(handler):
        calls.append(handler.path)
        if len(calls) <= 4:  # two connections: each is asked first what it has
            send_mjpeg(handler, range(15))
        else:
            send(handler, b"", "text/plain", 503)

    with serving(answer) as address:
        with open_source(f"{address}/live", timeout_s=2, retries=1) as opened:
            seconds = [frame.seconds for frame in opened]
    assert len(seconds) + opened.dropped > 15  # of more than the first connection
    assert seconds == sorted(seconds)
    assert max(np.diff(seconds)) >= 0.5  # the pause before it was opened again
    (failure,) = opened.failures
    assert "broke off" in str(failure)


def test_closing_ends_a_wait_for_a_silent_stream():
    def answer(handler):
        send_mjpeg(handler, range(10))
        time.sleep(3)

    with serving(answer) as address:
        opened = open_source(f"{address}/live", timeout_s=1)
        threading.Timer(0.3, opened.close).start()
        begun = time.monotonic()
        list(opened)
        assert time.monotonic() - begun < 2
        assert opened.failures == []


# One picture


def test_a_single_picture_with_its_name(photo, tmp_path):
    image, name = open_picture(photo)
    np.testing.assert_array_equal(image, picture())
    assert name == str(photo)
    gray = np.zeros((5, 5), np.uint8)
    assert open_picture(gray)[0] is gray
    assert open_picture(gray)[1] == ""
    for source, expected in (
        (tmp_path, "a folder"),
        (tmp_path / "gone.jpg", "no such file"),
        (np.zeros((5, 5, 4), np.uint8), "expected uint8"),
        (write_video(tmp_path / "a.avi", frames=2), "expected a photo"),
        ([photo, photo], "type list"),
    ):
        with pytest.raises(SourceError, match=expected):
            open_picture(source)


def test_a_picture_that_pil_cannot_finish_is_said():
    whole = encoded(cv2.resize(picture(), (400, 400)), ".png")
    with pytest.raises(SourceError, match="PIL cannot decode"):
        list(open_source(PIL.Image.open(io.BytesIO(whole[: len(whole) // 2]))))
