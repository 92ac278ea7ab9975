"""Write docs/figures/pages: two screenshots of each kind of page, for docs/explanation/pages.md.

Run it by `python tools/pages.py`, with Chromium installed. It draws faces, and trains and reads on
them in a temporary folder, which takes about two minutes on two cores. No photograph of a person is
used.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from mien.data.synthetic.faces import synthetic_faces

OUT = Path(__file__).parents[1] / "docs" / "figures" / "pages"
CHROMIUM = "/usr/bin/chromium"
WINDOWS = {"wide": (1280, 960), "phone": (390, 844)}  # width and height, in CSS pixels
QUALITY = 80  # of WebP, in percent
LARGEST_BYTES = 150_000

FACES = "faces.csv"
EPOCHS = "train.epochs=6"
COMMANDS = (
    f"data synth {FACES} --count 2000 --layout csv",
    "data synth photos --count 30 --seed 7",
    f"data explore {FACES}",
    f"data audit {FACES}",
    f"train quick --data {FACES} --set {EPOCHS} --out runs/quick",
    f"train quick --data {FACES} --set {EPOCHS} --set train.lr=0.001 --out runs/slow",
    "report runs/quick",
    "compare runs/quick runs/slow",
    f"sweep quick --data {FACES} --grid train.lr=0.003,0.01,0.03 --grid train.batch_size=32,64 "
    "--set train.epochs=3 --out runs/rates",
    "explain runs/quick photos/test/*/* photos/val/*/* --crops --out explanation.html",
    "predict video.avi --timeline timeline.html",
)
PAGES = {
    "report": "runs/quick/report.html",
    "compare": "runs/compare/compare.html",
    "audit": "runs/audit/audit.html",
    "explore": "runs/explore/explore.html",
    "explanation": "explanation.html",
    "timeline": "timeline.html",
    "sweep": "runs/rates/sweep.html",
}


def write_video(path: Path, *, seconds: int = 48, rate: int = 5) -> None:
    """Write a video in which two drawn faces come, change and go.

    Args:
        path: path of the video.
        seconds: duration.
        rate: frames per second.
    """
    drawn = [
        cv2.resize(image, (240, 240), interpolation=cv2.INTER_CUBIC)
        for image in synthetic_faces(200).images
    ]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, (640, 320))
    for number in range(seconds * rate):
        frame = np.full((320, 640, 3), 110, np.uint8)
        second = number / rate
        for place, there in enumerate((not 18 <= second < 19, 8 <= second < 40)):
            if there:
                turn, share = divmod(second / 4, 1)
                before, after = (drawn[5 * (int(turn) + step) + place] for step in (0, 1))
                fading = max(0.0, 2 * share - 1)  # a face stays for two seconds, then turns
                face = cv2.addWeighted(before, 1 - fading, after, fading, 0)
                frame[40:280, 40 + 320 * place :][:, :240] = face[..., None]
        writer.write(frame)
    writer.release()


def _found(folder: Path, pattern: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.glob(pattern))


def make_pages(folder: Path) -> None:
    """Make every page in a folder."""
    write_video(folder / "video.avi")
    for command in COMMANDS:
        print("mien", command, flush=True)
        words = [
            match
            for word in command.split()
            for match in (_found(folder, word) if "*" in word else [word])
        ]
        done = subprocess.run(
            [sys.executable, "-m", "mien", *words], cwd=folder, capture_output=True, text=True
        )
        if done.returncode != 0:
            sys.exit(f"mien {command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def take_screenshots(folder: Path) -> None:
    """Write the first screen of each page as WebP, in both widths and in light colours."""
    OUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for window, (width, height) in WINDOWS.items():
            tab = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme="light"
            )
            for name, page in PAGES.items():
                tab.goto((folder / page).as_uri())
                pixels = cv2.imdecode(np.frombuffer(tab.screenshot(), np.uint8), cv2.IMREAD_COLOR)
                _, image = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
                if len(image) > LARGEST_BYTES:
                    sys.exit(f"{name}: {len(image):,} bytes, expected {LARGEST_BYTES:,} at most")
                (OUT / f"{name}-{window}.webp").write_bytes(image.tobytes())
        browser.close()


def main() -> None:
    """Make the pages and their screenshots; with a path, keep the pages in that new folder."""
    with TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        make_pages(folder)
        take_screenshots(folder)


if __name__ == "__main__":
    main()
