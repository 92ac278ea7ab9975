"""The code of docs/how-to/build-an-app.md, run from top to bottom as its readers would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
from tests.vision.made import ASTRONAUT

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "build-an-app.md"


def test_the_code_of_the_page_runs(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 7
    (tmp_path / "photo.jpg").write_bytes(cv2.imencode(".jpg", ASTRONAUT)[1].tobytes())
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    video = cv2.VideoWriter(
        str(tmp_path / "party.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 20, (512, 512)
    )
    for _ in range(20):
        video.write(ASTRONAUT)
    video.release()
    (tmp_path / "app.py").write_text("\n".join(blocks), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert "0 happy" in ran.stdout
    assert "cannot be read: broken.jpg: " in ran.stdout
    assert "[1, 1, 1, 1, 1, 1, 1, 1]" in ran.stdout
    assert (tmp_path / "read.mp4").stat().st_size > 1000
    assert len((tmp_path / "faces.csv").read_text().splitlines()) == 21
