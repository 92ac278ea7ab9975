"""The commands and the code on the pages: their words exist, and the new ways are walked."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import cv2
import pytest
import typer

from mien.cli.main import app
from mien.vision.sample import sample_photo

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md"))
    if path.name != "CHANGELOG.md"  # which tells of older versions, too
)
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(mien [^`]+)`")


def blocks_of(page: str) -> list[tuple[str, str]]:
    """Return the language and the text of each block of a page."""
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def commands_of(page: str) -> list[str]:
    """Return the commands of mien in the blocks of a page and in its text, without comments."""
    found = []
    for language, text in blocks_of(page):
        if language in ("", "sh", "bash", "console"):
            joined = text.replace("\\\n", " ")
            found += [line.partition(" #")[0] for line in joined.splitlines()]
    prose = BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
    found += [" ".join(words.split()) for words in INLINE.findall(prose)]
    return [line.strip() for line in found if line.strip().startswith("mien ")]


@cache
def root_command():
    return typer.main.get_command(app)


def options_of(command) -> set[str]:
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)}


def unknown_words(line: str) -> list[str]:
    """Return the verb or the options of a command that do not exist."""
    command = root_command()
    words = line.split()[1:]  # not shlex: prose has … and unclosed quotes
    known = {"--help", "-h", "--install-completion", "--show-completion"}
    while words and (subcommands := getattr(command, "commands", None)):
        if words[0].startswith("-") or words[0].isupper():  # an option of mien, or a placeholder
            break
        if words[0].rstrip(",…") not in subcommands:
            return words[:1]
        command = subcommands[words.pop(0).rstrip(",…")]
    options = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return [one for one in options if one not in known | options_of(command)]


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_exist_with_their_options(page):
    for line in commands_of(page):
        for part in re.split(r"[|>;]| && ", line):
            if part.strip().startswith("mien "):
                assert unknown_words(part) == [], line


def test_words_that_do_not_exist_are_found():
    assert unknown_words("mien predict a.jpg --csv b.csv --no-such --help") == ["--no-such"]
    assert unknown_words("mien data audits faces") == ["audits"]
    assert unknown_words("mien data split a --fractions 70,15,15 --out=b") == []
    assert sum(len(commands_of(page)) for page in PAGES) > 150


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_is_python(page):
    for language, text in blocks_of(page):
        if language == "python":
            compile(text, page, "exec")


def test_the_code_for_small_devices_runs(tmp_path):
    (code,) = [
        text for language, text in blocks_of("docs/how-to/small-devices.md") if language == "python"
    ]
    picture = cv2.resize(cv2.imread(str(sample_photo())), (948, 512))
    path = str(tmp_path / "party.mp4")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 10, (948, 512))
    for _ in range(10):
        writer.write(picture)
    writer.release()
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 2  # every fifth of ten frames
    assert "'happy', False" in ran.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fine_tuning_runs_from_the_first_line_of_its_page_to_the_last(mien, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Path("photo.jpg").write_bytes(sample_photo().read_bytes())
    Path("photos/one.jpg").write_bytes(sample_photo().read_bytes())
    lines = [
        line
        for language, text in blocks_of("docs/how-to/fine-tune.md")
        if language == "sh"
        for line in text.splitlines()
    ]
    assert len(lines) >= 9
    for line in lines:
        outcome = mien(*shlex.split(line)[1:])
        assert outcome.code in ((0, 1) if "audit" in line else (0,)), f"{line}\n{outcome.err}"
    assert Path("runs/finetune/report.html").is_file()
    assert Path("my-faces.onnx").is_file()


@pytest.mark.slow
def test_a_network_and_its_recipe_are_two_files_inside_of_mien(tmp_path):
    page = (ROOT / "docs/how-to/extend.md").read_text(encoding="utf-8")
    recipe = re.search(r"```toml\n# src/mien/(recipes/tiny.toml)\n(.*?)```", page, re.DOTALL)
    network = re.search(r'title="faces_plus/network.py"\n(.*?)```', page, re.DOTALL)[1]
    registered = re.search(r'`(@FAMILIES.register\("tiny"\))`, from `([\w.]+)`', page)
    network = network.replace("class Tiny(Network)", f"{registered[1]}\nclass Tiny(Network)")
    network = network.replace(
        "from mien.recipes.sections",
        f"from {registered[2]} import FAMILIES\nfrom mien.recipes.sections",
    )
    shutil.copytree(ROOT / "src/mien", tmp_path / "src/mien")
    (tmp_path / "src/mien" / recipe[1]).write_text(recipe[2])
    (tmp_path / "src/mien/models/families/tiny.py").write_text(network)
    for arguments in (
        "data synth faces --count 140",
        "train tiny --data faces --out run --set train.epochs=1",
        "predict --sample --model run",
    ):
        ran = subprocess.run(
            [sys.executable, "-m", "mien", *arguments.split()],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
    assert 'family = "tiny"' in (tmp_path / "run/recipe.toml").read_text()
    assert (tmp_path / "run/report.html").is_file()
