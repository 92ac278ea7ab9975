"""The README's commands, run as they stand there, in a folder with nothing but a photo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import skimage

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("readme")
    shutil.copy(Path(skimage.__file__).parent / "data" / "astronaut.png", path / "photo.jpg")
    return path


@pytest.mark.timeout(600)
def test_the_readmes_commands_and_code_run(folder):
    """In order, the code after the commands: it uses what they made."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    commands = [
        line
        for block in blocks("sh")
        for line in block.splitlines()
        if line.startswith("mien ") and "fer2013" not in line
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


def test_the_two_make_targets_are_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
