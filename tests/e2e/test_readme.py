"""The README's commands, run as they stand there, on a photo, folders and a video."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import skimage

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("readme")
    astronaut = Path(skimage.__file__).parent / "data" / "astronaut.png"
    shutil.copy(astronaut, path / "photo.jpg")
    for name in ("holiday", "crops"):
        (path / name).mkdir()
        shutil.copy(astronaut, path / name / "one.png")
    video = cv2.VideoWriter(
        str(path / "party.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (256, 256)
    )
    for _ in range(10):
        video.write(cv2.resize(cv2.imread(str(astronaut)), (256, 256)))
    video.release()
    return path


@pytest.mark.timeout(600)
def test_the_readmes_commands_and_code_run(folder):
    """In order, the code after the commands: it uses what they made."""
    environment = {
        **os.environ,
        "MIEN_OFFLINE": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    commands = [
        line
        for block in blocks("sh")
        for line in block.splitlines()
        # One needs data that is not ours to give, the other a camera and a screen.
        if line.startswith("mien ") and "fer2013" not in line and "--show" not in line
    ]
    assert len(commands) >= 5
    for command in commands:
        result = subprocess.run(
            command.split("#")[0],
            shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, f"{command}\n{result.stderr}"
    (code,) = blocks("python")
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "happy" in result.stdout


def test_the_code_for_those_who_come_from_elsewhere_runs(folder):
    text = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("happy") >= 2


def test_the_two_make_targets_are_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
