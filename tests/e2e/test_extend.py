"""The package of docs/how-to/extend.md, installed as its readers would, and used."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "extend.md"


def files_of_the_page():
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', text, flags=re.DOTALL))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which pip has installed the package of the page."""
    folder, files = tmp_path_factory.mktemp("plugin"), files_of_the_page()
    project = tomllib.loads(files.pop("pyproject.toml"))["project"]
    groups = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    about = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    files[f"{about}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    files[f"{about}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files[f"{about}/entry_points.txt"] = groups
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in files)
    wheel = folder / f"faces_plus-{project['version']}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("faces_plus/__init__.py", "")
        for name, content in files.items():
            archive.writestr(name, content)
    target = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True, timeout=120)
    return target


def run(installed, *command, cwd, given=None):
    environment = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=280, input=given,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Runs each line of standard input as a command line, all in one process, and marks their ends.
PROGRAM = """
import shlex
import sys
from mien.cli.main import main
for line in sys.stdin:
    sys.argv = ["mien", *shlex.split(line)]
    try:
        main()
    except SystemExit as end:
        assert not end.code, line
    print("--- end of command")
"""


def test_the_command_line_uses_all_of_it(installed, layouts, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (80, 100, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "portrait.png"), picture)
    commands = f"""\
recipes
data split {layouts["csv"]} --layout npz --out faces.npz
train quick --data faces.npz --out run --set "model={{family='tiny',width=8}}" --set train.epochs=1
report run --figures
predict portrait.png --model run --detector centre --json --sink tally=emotions.txt
"""
    told = run(installed, "-c", PROGRAM, cwd=tmp_path, given=commands)
    recipes, *_, predicted, _ = told.split("--- end of command\n")

    assert re.search(r"^\s*tiny +Two convolutions", recipes, re.MULTILINE)
    with np.load(tmp_path / "faces.npz") as arrays:
        assert len(arrays["images"]) == 280
    assert '"tiny"' in (tmp_path / "run" / "recipe.toml").read_text()
    assert "The most likely emotion is ahead" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "figures" / "margins.csv").is_file()
    numbers = json.loads((tmp_path / "run" / "figures" / "report.json").read_text())
    assert 0 <= numbers["median_margin"] <= 1
    (reading,) = json.loads(predicted)
    assert reading["box"] == [25, 20, 75, 60]
    assert (tmp_path / "emotions.txt").read_text() == f"{reading['emotion']} 1\n"


def test_the_contract_tests_meet_it(installed):
    told = run(
        installed, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "-k",
        "tiny or npz or centre or tally or margins", *contract_tests(), cwd=ROOT,
    )  # fmt: skip
    passed = int(re.search(r"(\d+) passed", told)[1])
    assert passed >= 5 * len(contract_tests())


def contract_tests():
    """Return the contract tests that the page names."""
    names = re.findall(r"pytest (tests/\S+\.py) -k", PAGE.read_text(encoding="utf-8"))
    assert len(names) == 5
    assert all((ROOT / name).is_file() for name in names)
    return names
