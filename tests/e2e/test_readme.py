"""The commands and the code of README.md, run as they stand there, one case per block."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import skimage

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The text of each block of commands or code, in order.
BLOCKS = re.findall(r"```(?:sh|python)\n(.*?)```", README, flags=re.DOTALL)


def commands_of(block: str) -> list[str]:
    """Return the commands of a block that can run here, without their comments."""
    return [
        line.partition("#")[0].strip()
        for line in block.splitlines()
        # The first needs data that is not ours to give, the second a camera and a screen.
        if line.startswith("mien ") and "fer2013" not in line and "--show" not in line
    ]


def is_code(block: str) -> bool:
    return "import mien" in block


CASES = [number for number, block in enumerate(BLOCKS) if commands_of(block) or is_code(block)]


def needed_by(number: int) -> list[int]:
    """Return the earlier blocks that make a file or folder which a block names."""
    made = r"(?:--out|synth) (\S+)"
    return [
        earlier
        for earlier in CASES
        if earlier < number
        and any(
            re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w/.-])", BLOCKS[number])
            for command in commands_of(BLOCKS[earlier])
            for name in re.findall(made, command)
        )
    ]


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


@pytest.fixture(scope="module")
def done() -> set[int]:
    """The blocks that have run in the module's folder."""
    return set()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "number",
    CASES,
    ids=[BLOCKS[number].partition("#")[0].splitlines()[0].strip() for number in CASES],
)
def test_a_block_of_the_readme_runs(mien, folder, done, monkeypatch, number):
    monkeypatch.chdir(folder)

    def run(block: int) -> None:
        for earlier in needed_by(block):
            run(earlier)
        if block in done:
            return
        done.add(block)
        if is_code(BLOCKS[block]):
            assert "happy" in run_code(BLOCKS[block], folder)
        for command in commands_of(BLOCKS[block]):
            outcome = mien(*shlex.split(command)[1:])
            assert outcome.code == 0, f"{command}\n{outcome.err}"

    run(number)


def run_code(code: str, folder: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_blocks_are_found():
    assert sum(len(commands_of(BLOCKS[number])) for number in CASES) >= 12
    assert [is_code(BLOCKS[number]) for number in CASES].count(True) == 1


def test_the_installed_command_runs_as_a_user_types_it(folder):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    result = subprocess.run(
        commands_of(BLOCKS[CASES[0]])[0],
        shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "happy" in result.stdout


def test_the_code_for_those_who_come_from_elsewhere_runs(folder):
    text = (ROOT / "docs" / "how-to" / "coming-from.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert run_code(code, folder).count("happy") >= 2


def test_the_make_targets_are_there():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^make (\w+)", "\n".join(BLOCKS), flags=re.MULTILINE)
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
