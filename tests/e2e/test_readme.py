"""The commands and the code of README.md and the tutorial, run as they stand there."""

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

from mien.vision.sample import sample_photo

ROOT = Path(__file__).parents[2]


def blocks_of(page: str) -> list[str]:
    """Return the text of each block of commands or code, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```(?:sh|python)\n(.*?)```", text, flags=re.DOTALL)


def commands_of(block: str) -> list[str]:
    """Return the commands of a block that can run here, without their comments."""
    return [
        line.partition("#")[0].strip()
        for line in block.splitlines()
        if line.startswith("mien ")
        # Data that is not ours to give, a camera, a network; the demo has a test of its own.
        and not any(
            word in line for word in ("fer2013", "--show", "runs/mine", "mien demo", "mien fetch")
        )
    ]


BLOCKS = blocks_of("README.md")
(CODE,) = [block for block in BLOCKS if "import mien" in block]
README_COMMANDS = [command for block in BLOCKS for command in commands_of(block)]
TUTORIAL_COMMANDS = [
    command for block in blocks_of("docs/tutorial.md") for command in commands_of(block)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("readme")
    picture = cv2.imread(str(sample_photo()))
    cv2.imwrite(str(path / "photo.jpg"), picture)
    (path / "holiday").mkdir()
    shutil.copy(path / "photo.jpg", path / "holiday" / "one.jpg")
    video = cv2.VideoWriter(
        str(path / "party.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (474, 256)
    )
    for _ in range(10):
        video.write(cv2.resize(picture, (474, 256)))
    video.release()
    return path


def run_command(mien, command: str) -> str:
    """Run a command as it stands and return what it prints."""
    command, _, file = command.partition(" > ")
    outcome = mien(*shlex.split(command)[1:])
    # An audit with a serious finding ends with 1.
    assert outcome.code in ((0, 1) if "audit" in command else (0,)), f"{command}\n{outcome.err}"
    if file:
        Path(file).write_text(outcome.out)
    return outcome.out


@pytest.mark.parametrize("command", README_COMMANDS)
def test_a_command_of_the_readme_runs(mien, folder, monkeypatch, command):
    monkeypatch.chdir(folder)
    assert "happy" in run_command(mien, command) or "--csv" in command or "--save" in command


@pytest.mark.timeout(600)
def test_the_tutorial_runs_from_its_first_line_to_its_last(mien, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in TUTORIAL_COMMANDS:
        run_command(mien, command)
    for made in ("runs/quick/report.html", "runs/explore/explore.html", "runs/audit/audit.html"):
        assert (tmp_path / made).is_file()


def test_the_commands_are_found():
    assert len(README_COMMANDS) >= 3
    assert len(TUTORIAL_COMMANDS) >= 14


def run_code(code: str, folder: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_code_of_the_readme_runs(folder):
    assert "happy" in run_code(CODE, folder)


def test_the_first_screen_of_the_readme_has_a_picture_and_a_command_that_works():
    first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:30]
    assert any("<img src=" in line for line in first)
    assert "pip install ." in first
    assert "mien predict --sample" in first


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/README.md"])
def test_what_a_page_links_to_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)|src=\"([^\"]+)\"", text)
    local = [one or other for one, other in targets if "://" not in (one or other)]
    assert local
    for target in local:
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_installed_command_runs_as_a_user_types_it(folder):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    result = subprocess.run(
        "mien predict --sample",
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
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/tutorial.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    targets = re.findall(r"(?:^|`)make (\w+)", text, flags=re.MULTILINE)
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
