"""The pages in a real Chromium, with a camera that plays a made video."""

from __future__ import annotations

import csv
import os
import re
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="not installed yet: make setup")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed here")

from tests.service.conftest import KEY, PHOTO, running
from tests.vision.made import ASTRONAUT

CAMERA = "--use-fake-device-for-media-stream"
SECONDS = 30_000  # ms that a page may take


def write_y4m(path: Path) -> Path:
    """Write a video of a face that moves a little, as Chromium's fake camera plays it."""
    face = ASTRONAUT[20:260, 60:380]  # 320 by 240
    with path.open("wb") as handle:
        handle.write(b"YUV4MPEG2 W320 H240 F10:1 Ip A1:1 C420jpeg\n")
        for shift in range(5):
            moved = np.roll(face, 2 * shift, axis=1)
            handle.write(b"FRAME\n" + cv2.cvtColor(moved, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as player:

        def launch(*flags):
            return player.chromium.launch(
                executable_path=CHROMIUM, args=[CAMERA, "--no-sandbox", *flags]
            )

        yield launch


@pytest.fixture(scope="module")
def browser(chromium, tmp_path_factory):
    """Chromium whose camera is allowed and plays the video."""
    video = write_y4m(tmp_path_factory.mktemp("camera") / "face.y4m")
    started = chromium(
        "--use-fake-ui-for-media-stream", f"--use-file-for-fake-video-capture={video}"
    )
    yield started
    started.close()


@pytest.fixture
def page(browser):
    """A page that must not report an error of its own."""
    context = browser.new_context(permissions=["camera"], accept_downloads=True)
    one = context.new_page()
    one.set_default_timeout(SECONDS)
    errors = []
    one.on("pageerror", lambda error: errors.append(str(error)))
    one.on(
        "console",
        lambda said: errors.append(said.text) if "Security Policy" in said.text else None,
    )
    yield one
    context.close()
    assert not errors


def faces(page):
    return page.locator("#faces .face")


def test_the_camera_is_read_live_and_saved_as_csv(page, server, tmp_path):
    page.goto(server.url)
    page.get_by_role("button", name="Start camera").click()
    playwright.expect(faces(page)).to_have_count(1, timeout=SECONDS)
    playwright.expect(page.locator("#rate")).to_contain_text("/ s")
    playwright.expect(page.locator("#latency")).to_have_text(
        re.compile(r"^\d+ ms$"), timeout=SECONDS
    )
    inked = """id => {
        const canvas = document.getElementById(id);
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return pixels.some(value => value > 0);
    }"""
    assert page.evaluate(inked, "boxes")
    playwright.expect(page.locator("#timeline")).to_have_attribute(
        "aria-label", re.compile("^Means of the last ten seconds: "), timeout=SECONDS
    )
    assert page.evaluate(inked, "timeline")
    with page.expect_download() as download:
        page.get_by_role("button", name="Readings as CSV").click()
    path = tmp_path / "readings.csv"
    download.value.save_as(path)
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows
    assert {row["source"] for row in rows} == {"camera"}
    names = list(rows[0])[list(rows[0]).index("uncertain") + 1 :]
    assert len(names) == 7
    for row in rows:
        assert sum(float(row[name]) for name in names) == pytest.approx(1, abs=1e-3)
        assert row["emotion"] == max(names, key=lambda name: float(row[name]))
    page.get_by_role("button", name="Stop camera").click()
    playwright.expect(page.locator("#stage")).to_be_hidden()


def test_photos_are_chosen_dropped_and_pasted(page, server):
    page.goto(server.url)
    photo = {"name": "=1+1.jpg", "mimeType": "image/jpeg", "buffer": PHOTO}
    page.set_input_files("#files", [photo])
    playwright.expect(faces(page)).to_have_count(1, timeout=SECONDS)
    playwright.expect(page.locator("#photo")).to_have_attribute("alt", "=1+1.jpg")
    with page.expect_download() as download:
        page.get_by_role("button", name="Readings as CSV").click()
    assert "\n'=1+1.jpg," in Path(download.value.path()).read_text()
    page.get_by_role("button", name="Clear").click()
    playwright.expect(faces(page)).to_have_count(0)
    give = """([kind, bytes]) => {
        const file = new File([new Uint8Array(bytes)], `${kind}.jpg`, { type: "image/jpeg" });
        const data = new DataTransfer();
        data.items.add(file);
        const event = kind === "drop"
            ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
        document.body.dispatchEvent(event);
    }"""
    for count, kind in enumerate(("drop", "paste"), 1):
        page.evaluate(give, [kind, list(PHOTO)])
        playwright.expect(page.locator("#photo")).to_have_attribute(
            "alt", f"{kind}.jpg", timeout=SECONDS
        )
        playwright.expect(page.locator("#photos button")).to_have_count(count)


def test_what_cannot_be_read_is_said(page, server):
    page.goto(server.url)
    bad = {"name": "bad.jpg", "mimeType": "image/jpeg", "buffer": b"no image"}
    large = {"name": "large.png", "mimeType": "image/png", "buffer": b"x" * (3 << 20)}
    page.set_input_files("#files", [bad, large])
    problem = page.get_by_role("alert")
    playwright.expect(problem).to_contain_text("bad.jpg: image 0: ", timeout=SECONDS)
    playwright.expect(problem).to_contain_text("large.png: larger than the 2 MB")


def test_a_camera_that_is_denied_is_explained(chromium, server):
    browser = chromium()
    page = browser.new_page()
    page.goto(server.url)
    page.get_by_role("button", name="Start camera").click()
    playwright.expect(page.get_by_role("alert")).to_contain_text(
        "The camera was not allowed", timeout=SECONDS
    )
    browser.close()


def test_the_loss_of_the_server_is_shown_and_recovered_from(page, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(tmp_path, "--port", port) as server:
        page.goto(server.url)
        page.get_by_role("button", name="Start camera").click()
        playwright.expect(faces(page)).to_have_count(1, timeout=SECONDS)
    problem = page.get_by_role("alert")
    playwright.expect(problem).to_contain_text("The server is not reached", timeout=SECONDS)
    with running(tmp_path, "--port", port):
        playwright.expect(problem).to_be_hidden(timeout=SECONDS)
        before = page.locator("#latency").text_content()
        page.wait_for_function(
            "before => document.querySelector('#latency').textContent !== before", arg=before
        )
        page.get_by_role("button", name="Stop camera").click()


def test_a_key_is_asked_for_and_used_for_photos_and_the_camera(page, locked):
    page.goto(locked.url)
    page.get_by_label("This service needs an API key").fill("wrong")
    page.get_by_role("button", name="Use key").click()
    playwright.expect(page.get_by_role("alert")).to_have_text("This API key is wrong.")
    page.get_by_label("This service needs an API key").fill(KEY)
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#lock")).to_be_hidden()
    page.keyboard.press("Enter")  # the camera's button has the focus
    playwright.expect(faces(page)).to_have_count(1, timeout=SECONDS)
    assert KEY not in page.content()


def test_the_page_needs_no_mouse_and_fits_a_phone(page, server):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(server.url)
    page.set_input_files("#files", [{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": PHOTO}])
    playwright.expect(faces(page)).to_have_count(1, timeout=SECONDS)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert [one for one in reached if one][:4] == ["camera", "files", "save", "forget"]
    assert page.get_by_role("status").text_content()
    table = page.locator("#faces table")
    assert table.locator("caption").text_content() == "Probability of each expression"
    assert table.locator("th[scope=row]").count() == 7
    sizes = page.evaluate(
        "[...document.querySelectorAll('button, .button')].map(one => one.offsetHeight)"
    )
    assert min(size for size in sizes if size) >= 44


def test_every_example_of_the_api_page_runs(page, server):
    page.goto(f"{server.url}/docs")
    buttons = page.get_by_role("button", name="Run ")
    playwright.expect(buttons.first).to_be_visible()
    count = buttons.count()
    assert count == 6
    for number in range(count):
        buttons.nth(number).click()
        result = page.locator("#operations section").nth(number).get_by_role("status")
        playwright.expect(result).to_contain_text("200, ", timeout=SECONDS)
    assert "Authorization" in page.locator("#operations pre").first.text_content()
    assert os.environ.get("MIEN_SERVE_KEY") is None
