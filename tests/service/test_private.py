"""The private mode of the page in a real Chromium: pictures are read in the browser."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import threading
from contextlib import contextmanager

import cv2
import httpx
import numpy as np
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="not installed yet: make setup")
onnx = pytest.importorskip("onnx", reason="not installed yet: make setup")

from tests.service.conftest import MIEN, PHOTO, png, running
from tests.service.test_page import CHROMIUM, SECONDS, browser, chromium, faces, page
from tests.vision.made import ASTRONAUT

from mien.bundle.bundle import Bundle
from mien.images.crop import CropSpec
from mien.service.web import has_runtime, write_site
from mien.vision.alignment import crop_face
from mien.vision.detectors.base import LONGEST_SIDE_PX, Face, video_side_px
from mien.vision.detectors.yunet import YuNetDetector
from mien.vision.tracking import Smoother, Tracker

__all__ = ["browser", "chromium", "page"]  # fixtures
pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed here"),
    pytest.mark.skipif(
        not has_runtime(), reason="the browser's runtime is not in the package: make web"
    ),
]


def write_spot_detector(path):
    """Write a network with YuNet's inputs and outputs that takes bright spots for faces."""
    helper = onnx.helper
    nodes, outputs, weights = [], [], []
    generator = np.random.default_rng(5)
    channels = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    for stride in (8, 16, 32):
        for name, count in channels.items():
            kernel = np.full((count, 3, stride, stride), 1 / (3 * stride**2), np.float32)
            if name in ("cls", "obj"):  # 0.9 for a spot; no two places have the same score
                kernel *= 0.02 * generator.uniform(0.5, 1.5, kernel.shape).astype(np.float32)
                bias = np.full(count, -2.8, np.float32)
            else:
                kernel *= 0.002 * generator.uniform(-1, 1, (count, 1, 1, 1)).astype(np.float32)
                bias = generator.uniform(0, 2, count).astype(np.float32)
                # The eyes of larger faces are less level.
                bias[:4] = (0.4, 0.6, 0.5, 0.7) if name == "bbox" else (0, 0, 1, stride / 40)
            key = f"{name}_{stride}"
            for part, value in (("w", kernel), ("b", bias), ("s", np.array([1, -1, count]))):
                weights.append(onnx.numpy_helper.from_array(value, f"{key}_{part}"))
            conv = [f"{key}_w", f"{key}_b"]
            sides = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
            nodes.append(helper.make_node("Conv", ["input", *conv], [f"{key}_conv"], **sides))
            nodes.append(
                helper.make_node("Transpose", [f"{key}_conv"], [f"{key}_t"], perm=[0, 2, 3, 1])
            )
            flat = f"{key}_flat" if name in ("cls", "obj") else key
            nodes.append(helper.make_node("Reshape", [f"{key}_t", f"{key}_s"], [flat]))
            if flat != key:
                nodes.append(helper.make_node("Sigmoid", [flat], [key]))
            shape = [1, (640 // stride) ** 2, count]
            outputs.append((name, stride, helper.make_tensor_value_info(key, 1, shape)))
    ordered = [one for name in channels for each, _, one in outputs if each == name]
    source = helper.make_tensor_value_info("input", 1, [1, 3, 640, 640])
    graph = helper.make_graph(nodes, "spots", [source], ordered, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="session")
def spots(tmp_path_factory):
    return write_spot_detector(tmp_path_factory.mktemp("spots") / "yunet.onnx")


def picture(height, width, centres, side, seed=0):
    """Return a dark picture with bright squares."""
    image = np.random.default_rng(seed).integers(0, 60, (height, width, 3), np.uint8)
    for x, y in centres:
        image[y : y + side, x : x + side] = (250, 240, 235)
    return image


SPOTS = picture(480, 640, [(100, 120), (400, 300)], 40)


def running_with(detector, tmp_path):
    """Start a server that takes a made detector for YuNet."""
    digest = hashlib.sha256(detector.read_bytes()).hexdigest()
    made = f"import mien.vision.detectors._yunet_file as file; file.SHA256 = {digest!r}; {MIEN}"
    return running(tmp_path, "--detector-model", detector, program=made)


def given(image):
    """Return a picture as the modules of the page take it: red, green and blue."""
    rgb = image if image.ndim == 2 else image[..., ::-1]
    return {
        "width": image.shape[1],
        "height": image.shape[0],
        "channels": 1 if image.ndim == 2 else 3,
        "data": base64.b64encode(np.ascontiguousarray(rgb)).decode(),
    }


UNPACK = """
    const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    const unpacked = (image) => ({ ...image, data: bytes(image.data) });
"""


def go_private(page, url):
    page.goto(url)
    page.get_by_role("switch", name="Private mode").check()
    playwright.expect(page.get_by_role("status")).to_have_text(
        "Private mode is on.", timeout=SECONDS
    )


def choose(page, name, content):
    kind = "image/png" if name.endswith("png") else "image/jpeg"
    page.set_input_files("#files", [{"name": name, "mimeType": kind, "buffer": content}])


def sent_by(page):
    """Return a list that fills with what the page sends, or opens, beside asking for files."""
    sent = []
    page.on("request", lambda one: sent.append(one.url) if one.method != "GET" else None)
    page.on("websocket", lambda one: sent.append(one.url))
    return sent


def test_crops_are_those_of_the_reader(page, server):
    page.goto(server.url)
    generator = np.random.default_rng(1)
    image = cv2.resize(ASTRONAUT, (311, 287), interpolation=cv2.INTER_AREA)
    cases = []
    for number in range(40):
        left, top = generator.integers(-30, 200, 2).tolist()
        width, height = generator.integers(8, 160, 2).tolist()
        box = (max(0, left), max(0, top), min(311, left + width), min(287, top + height))
        tilt = float(generator.uniform(-180, 180)) if number % 3 == 0 else 2.0
        spec = CropSpec(48 if number % 2 else 64, 3 if number % 5 == 0 else 1)
        cases.append((box, tilt, 0.15 * (number % 4 == 0), spec))
    found = page.evaluate(
        """async ([image, cases]) => {"""
        + UNPACK
        + """const { cropFace } = await import("/static/private/pixels.js");
        return cases.map(([box, tilt, margin, size_px, channels]) => Array.from(cropFace(
            unpacked(image), { box, tilt_degrees: tilt }, margin, { size_px, channels })));
    }""",
        [given(image), [(b, t, m, s.size_px, s.channels) for b, t, m, s in cases]],
    )
    for (box, tilt, margin, spec), values in zip(cases, found, strict=True):
        expected = crop_face(image, Face(box, 1.0, tilt), margin, spec).astype(int)
        difference = np.abs(np.reshape(values, expected.shape) - expected)
        # OpenCV rounds once more where it interpolates.
        assert difference.mean() < 0.6, (box, tilt, spec)
        assert difference.max() <= (4 if abs(tilt) > 6 else 1), (box, tilt, spec)


def test_faces_are_found_as_opencv_finds_them(page, server, spots):
    page.goto(server.url)
    pictures = [
        SPOTS,
        picture(301, 203, [(30, 60)], 100),
        picture(90, 45, [(10, 20)], 24),
        picture(900, 1700, [(200, 200), (1500, 700)], 64),
        picture(480, 640, [], 40),
    ]
    detector = YuNetDetector(spots)
    found = page.evaluate(
        """async ([images, file]) => {"""
        + UNPACK
        + """const ort = await import("/static/ort/ort.mjs");
        const { YuNet, withAnySize } = await import("/static/private/yunet.js");
        const packed = await fetch("/static/ort/ort.wasm.gz");
        const plain = packed.body.pipeThrough(new DecompressionStream("gzip"));
        ort.env.wasm.wasmBinary = await new Response(plain).arrayBuffer();
        ort.env.wasm.numThreads = 1;
        const session = await ort.InferenceSession.create(withAnySize(bytes(file)),
            { logSeverityLevel: 3 });
        const yunet = new YuNet(ort, session);
        const all = [];
        for (const image of images.map(unpacked)) {
            all.push([await yunet.detect(image), await yunet.detect(image, { isFrame: true })]);
        }
        return all;
    }""",
        [[given(image) for image in pictures], base64.b64encode(spots.read_bytes()).decode()],
    )
    count = 0
    for image, both in zip(pictures, found, strict=True):
        for side_px, values in zip((LONGEST_SIDE_PX, video_side_px(image)), both, strict=True):
            expected = detector.detect(image, longest_side_px=side_px)
            assert len(values) == len(expected)
            count += len(expected)
            for one, other in zip(values, expected, strict=True):
                assert np.abs(np.subtract(one["box"], other.box)).max() <= 1
                assert one["score"] == pytest.approx(other.score, abs=0.02)
                assert one["tilt_degrees"] == pytest.approx(other.tilt_degrees, abs=0.5)
    assert count > 10


def test_faces_are_followed_and_smoothed_as_in_a_stream_of_the_server(page, server):
    page.goto(server.url)
    generator = np.random.default_rng(2)
    frames, seconds = [], 0.0
    for number in range(60):
        seconds += float(generator.choice([0.03, 0.1, 0.4, 1.5], p=[0.5, 0.3, 0.15, 0.05]))
        starts = [(20 + 3 * number, 30), (300 - 4 * number, 200), (150, 100 + number)]
        boxes = [
            [*start, *(edge + 60 + int(generator.integers(-3, 4)) for edge in start)]
            for start in starts
            if generator.random() < 0.8
        ]
        rows = generator.dirichlet(np.ones(4), len(boxes)).astype(np.float32)
        frames.append((boxes, rows, seconds))
    found = page.evaluate(
        """async (frames) => {
        const { Smoother, Tracker } = await import("/static/private/tracks.js");
        const tracker = new Tracker();
        const smoother = new Smoother();
        return frames.map(([boxes, rows, seconds]) => {
            const tracks = tracker.update(boxes, seconds);
            return [tracks, rows.map((row, at) => smoother.update(tracks[at], row, seconds))];
        });
    }""",
        [(boxes, rows.tolist(), seconds) for boxes, rows, seconds in frames],
    )
    tracker, smoother = Tracker(), Smoother()
    for (boxes, rows, seconds), (numbers, smooth) in zip(frames, found, strict=True):
        tracks = tracker.update(boxes, seconds)
        assert numbers == tracks
        for track, row, values in zip(tracks, rows, smooth, strict=True):
            assert values == pytest.approx(smoother.update(track, row, seconds), abs=1e-5)
    assert max(tracks) > 3  # some of them were lost


def read_crops(page, model, crops):
    """Return the probabilities of crops, as the worker of the page gives them."""
    return np.array(
        page.evaluate(
            """async ([number, crops]) => {
        const { PrivateReader } = await import("/static/private.js");
        const reader = new PrivateReader();
        await reader.open();
        await reader.load(number);
        const made = crops.map((one) => Uint8Array.from(one));
        return reader.ask("readCrops", { crops: made });
    }""",
            [model, [crop.ravel().tolist() for crop in crops]],
        )
    )


def test_probabilities_are_those_of_the_server(page, server, crops):
    page.goto(server.url)
    files = [("images", (f"{at}.png", png(crop))) for at, crop in enumerate(crops)]
    reply = httpx.post(f"{server.url}/v1/read/crops", files=files, timeout=60).json()
    names = Bundle("mien-xs").labels
    expected = np.array(
        [[one["faces"][0]["probabilities"][name] for name in names] for one in reply["results"]]
    )
    assert read_crops(page, 0, crops) == pytest.approx(expected, abs=1e-5)


@contextmanager
def hosted(folder):
    """Serve a folder as any web host does: without a header of mien's."""
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    handler = functools.partial(quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def test_a_float_bundle_agrees_to_a_thousandth(page, run, tmp_path):
    write_site(tmp_path / "site", models=[run.path])
    crops = np.random.default_rng(4).integers(0, 256, (20, 48, 48), np.uint8)
    with hosted(tmp_path / "site") as url:
        page.goto(url)
        found = read_crops(page, 0, crops)
    assert found == pytest.approx(Bundle(run.path).predict(crops)[1], abs=1e-3)


def test_a_photo_is_read_here_and_sent_nowhere(page, server, crops):
    sent = sent_by(page)
    go_private(page, server.url)
    playwright.expect(page.locator("#mode-note")).to_contain_text("never leave this machine")
    playwright.expect(page.locator("#where")).to_contain_text("none is sent anywhere")
    choose(page, "face.jpg", PHOTO)
    playwright.expect(faces(page)).to_have_count(1, timeout=SECONDS)
    assert not sent
    with page.expect_download() as download:
        page.get_by_role("button", name="Readings as CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 2  # the head, and one face
    assert lines[1].startswith("face.jpg,,,24,24,136,136,1.0000,")  # 0.7 of 160 pixels
    choose(page, "bad.png", b"no image")
    playwright.expect(page.get_by_role("alert")).to_have_text(
        "bad.png: not an image that this browser can decode"
    )
    page.reload()  # the mode stays
    playwright.expect(page.locator("#mode-note")).to_contain_text("On: ", timeout=SECONDS)
    assert page.get_by_role("switch").is_checked()
    choose(page, "face.jpg", PHOTO)
    playwright.expect(faces(page)).to_have_count(1, timeout=SECONDS)
    assert not sent
    page.get_by_role("switch").uncheck()  # the photo is read once more, by the server
    playwright.expect(page.get_by_role("status")).not_to_be_empty()
    playwright.expect(page.locator("#about")).not_to_contain_text("mark the face yourself")
    page.wait_for_timeout(100)
    assert [one.rpartition("/")[2] for one in sent] == ["read"]


def test_the_square_is_moved_by_keys_and_drawn_by_the_pointer(page, server):
    go_private(page, server.url)
    choose(page, "face.jpg", PHOTO)
    playwright.expect(faces(page)).to_have_count(1, timeout=SECONDS)
    playwright.expect(page.locator("#by-hand")).to_be_visible()

    def rows():
        with page.expect_download() as download:
            page.get_by_role("button", name="Readings as CSV").click()
        return [line.split(",") for line in download.value.path().read_text().splitlines()[1:]]

    def wait_for(box):
        for _ in range(100):
            ((*_, left, top, right, bottom),) = [row[:7] for row in rows()]
            if [left, top, right, bottom] == list(map(str, box)):
                return
            page.wait_for_timeout(50)
        raise AssertionError(f"{(left, top, right, bottom)}, expected {box}")

    canvas = page.get_by_role("application", name="Square around the face")
    canvas.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown", "+", "-"):
        page.keyboard.press(key)
    wait_for((18, 27, 130, 139))
    place = canvas.bounding_box()
    scale = min(place["width"], place["height"]) / 160
    left = place["x"] + (place["width"] - 160 * scale) / 2
    page.mouse.move(left + 40 * scale, place["y"] + 40 * scale)
    page.mouse.down()
    page.mouse.move(left + 80 * scale, place["y"] + 90 * scale)
    page.mouse.move(left + 100 * scale, place["y"] + 120 * scale)
    page.mouse.up()
    wait_for((40, 40, 120, 120))
    assert "happy" in faces(page).text_content()


def test_the_camera_is_read_here_by_the_detector(page, spots, tmp_path):
    with running_with(spots, tmp_path) as server:
        sent = sent_by(page)
        go_private(page, server.url)
        playwright.expect(page.locator("#about")).to_contain_text("detector yunet")
        choose(page, "spots.png", png(SPOTS))
        playwright.expect(page.locator("#nobody")).to_be_hidden(timeout=SECONDS)
        there = httpx.post(f"{server.url}/v1/read", files={"images": png(SPOTS)}).json()
        count = len(there["results"][0]["faces"])
        assert count >= 2
        playwright.expect(faces(page)).to_have_count(count)
        playwright.expect(page.locator("#by-hand")).to_be_hidden()
        page.get_by_role("button", name="Start camera").click()
        playwright.expect(page.locator("#rate")).to_contain_text("/ s", timeout=SECONDS)
        assert not sent
    # The loss of the server does not matter any more.
    before = page.locator("#latency").text_content()
    page.wait_for_function(
        "before => document.querySelector('#latency').textContent !== before", arg=before
    )
    playwright.expect(page.get_by_role("alert")).to_be_hidden()
    page.get_by_role("button", name="Stop camera").click()


def test_a_site_works_offline_with_threads_once_loaded(page, tmp_path):
    write_site(tmp_path / "site")
    sent = sent_by(page)
    with hosted(tmp_path / "site") as url:
        page.goto(url)
        playwright.expect(page.locator("#mode-note")).to_contain_text("1 thread)", timeout=SECONDS)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()  # there is no web host any more
    playwright.expect(page.locator("#mode-note")).to_contain_text("threads)", timeout=SECONDS)
    choose(page, "face.jpg", PHOTO)
    playwright.expect(faces(page)).to_have_count(1, timeout=SECONDS)
    assert not page.get_by_role("switch").is_visible()
    assert not page.get_by_role("link", name="API").is_visible()
    assert not sent


def test_a_page_whose_files_are_lost_says_so_and_sends_nothing(page, server):
    page.goto(server.url)
    sent = sent_by(page)
    lost_files = {
        "**/models/models.json": "The models of the private mode cannot be loaded",
        "**/ort/*.wasm.gz": "/static/ort/ort.wasm.gz cannot be loaded",
        "**/models/*.onnx": ".onnx cannot be loaded; try again.",
    }
    for lost, words in lost_files.items():
        page.route(lost, lambda route: route.abort())
        if not page.get_by_role("switch").is_checked():
            page.get_by_role("switch").check()
        choose(page, "face.jpg", PHOTO)
        playwright.expect(page.get_by_role("alert")).to_contain_text(words, timeout=SECONDS)
        assert not sent
        assert faces(page).count() == 0
        page.unroute(lost)
    choose(page, "face.jpg", PHOTO)
    playwright.expect(faces(page)).to_have_count(1, timeout=SECONDS)
    assert not sent


@pytest.mark.slow
def test_a_hundred_faces_a_second(page, server, crops):
    page.goto(server.url)
    speed = page.evaluate(
        """async (crops) => {
        const { PrivateReader } = await import("/static/private.js");
        const reader = new PrivateReader();
        await reader.open();
        await reader.load(0);
        const made = crops.map((one) => Uint8Array.from(one));
        await reader.ask("readCrops", { crops: made });
        let best = Infinity;
        for (let at = 0; at < 20; at += 1) {
            const started = performance.now();
            await reader.ask("readCrops", { crops: made });
            best = Math.min(best, performance.now() - started);
        }
        return 1000 * made.length / best;
    }""",
        [crop.ravel().tolist() for crop in crops],
    )
    assert speed >= 100


@pytest.mark.slow
def test_a_graphics_processor_gives_the_same_answer(chromium, spots, tmp_path, crops):
    """Software stands in for the processor, so the page itself would not use it."""
    flags = (
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
        "--enable-features=Vulkan",
    )
    with running_with(spots, tmp_path) as server:
        browser = chromium(*flags)
        page = browser.new_page()
        page.goto(server.url)
        if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
            browser.close()
            pytest.skip("this Chromium has no WebGPU, not even in software")
        found = page.evaluate(
            """async ([crops, image]) => {
        const { PrivateReader } = await import("/static/private.js");
        const reader = new PrivateReader();
        await reader.open();
        await reader.load(0);
        const isUsed = reader.usesGpu;
        reader.worker.terminate();
        reader.worker = reader.startWorker();
        const about = reader.models[0];
        const [modelAt, detectorAt] = [about.file, reader.detector].map(
            (file) => new URL(`/models/${file}`, location.href).href);
        const { usesGpu } = await reader.ask("load",
            { about, modelAt, detectorAt, hasGpu: true, mustUseGpu: true });
        const made = crops.map((one) => Uint8Array.from(one));
        const rows = await reader.ask("readCrops", { crops: made });
        const bytes = Uint8Array.from(atob(image), (one) => one.charCodeAt(0));
        const { faces } = await reader.readPhoto(new File([bytes], "spots.png"));
        return { isUsed, usesGpu, rows, boxes: faces.map((face) => face.box) };
    }""",
            [
                [crop.ravel().tolist() for crop in crops[:3]],
                base64.b64encode(png(SPOTS)).decode(),
            ],
        )
        browser.close()
    assert not found["isUsed"]
    assert found["usesGpu"]
    expected = Bundle("mien-xs").predict(crops[:3])[1]
    assert found["rows"] == pytest.approx(expected, abs=0.02)
    boxes = [face.box for face in YuNetDetector(spots).detect(SPOTS)]
    assert np.abs(np.subtract(found["boxes"], boxes)).max() <= 1
