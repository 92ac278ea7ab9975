"""The files of .github: they are what GitHub expects, and the commands that they name exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer

from mien.cli.main import app

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
if not GITHUB.is_dir():
    pytest.skip("a source distribution has no .github", allow_module_level=True)
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def parsed(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps_of(path: Path) -> list[dict]:
    return [step for job in parsed(path)["jobs"].values() for step in job["steps"]]


def commands_of(path: Path) -> list[str]:
    return [line for step in steps_of(path) for line in step.get("run", "").splitlines()]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_complete(path):
    workflow = parsed(path)
    assert workflow["name"]
    assert workflow[True]  # the key "on", which YAML 1.1 reads as true
    assert workflow["permissions"] == {"contents": "read"}  # more is given to single jobs
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 350  # of the six hours that GitHub allows
        needed = job.get("needs", [])
        assert {needed} if isinstance(needed, str) else {*needed} <= workflow["jobs"].keys()
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v1)", step.get("uses", "a/b@v1"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_the_commands_of_a_workflow_exist(path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = typer.main.get_command(app).commands
    text = "\n".join(commands_of(path))
    for target in re.findall(r"^\s*make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for verb in re.findall(r"^\s*mien (\w+)", text, re.MULTILINE):
        assert verb in verbs
    for extras in re.findall(r"\.\[([\w,]+)\]", text):
        assert {*extras.split(",")} <= PROJECT["optional-dependencies"].keys()
    files = re.findall(r"[\w./-]+\.(?:txt|toml|py)\b", path.read_text(encoding="utf-8"))
    for file in files:
        assert (ROOT / file).is_file(), file
    # What others chose, such as the name of a branch, is no part of a shell's program.
    assert "${{" not in text


def test_every_system_and_python_is_tested():
    matrix = parsed(GITHUB / "workflows/ci.yml")["jobs"]["systems"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == ">=3.11"


def test_ci_runs_what_developers_run():
    commands = commands_of(GITHUB / "workflows/ci.yml")
    assert "make test" in commands
    assert "make docs" in commands
    assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "make slow" in commands_of(GITHUB / "workflows/slow.yml")


def test_a_release_is_published_without_a_key_after_its_wheel_was_tried():
    text = (GITHUB / "workflows/release.yml").read_text(encoding="utf-8")
    workflow = parsed(GITHUB / "workflows/release.yml")
    publish = workflow["jobs"]["publish"]
    assert "secrets." not in text
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == "pypi"
    assert publish["needs"] == "try"
    assert workflow["jobs"]["try"]["needs"] == "build"
    page = (ROOT / "docs/releasing.md").read_text(encoding="utf-8")
    assert "release.yml" in page
    assert "`pypi`" in page


def test_the_version_is_the_same_everywhere():
    import mien

    cited = parsed(ROOT / "CITATION.cff")
    assert str(cited["version"]) == mien.__version__
    assert cited["cff-version"]
    assert cited["title"] == PROJECT["name"]
    assert cited["license"] == PROJECT["license"]


def test_updates_are_asked_for():
    updates = parsed(GITHUB / "dependabot.yml")
    assert updates["version"] == 2
    assert {one["package-ecosystem"] for one in updates["updates"]} == {"pip", "github-actions"}
    for one in updates["updates"]:
        assert one["directory"] == "/"
        assert one["schedule"]["interval"] in ("daily", "weekly", "monthly")


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_an_issue_template_is_complete(name):
    template = parsed(GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml")
    assert template["name"]
    assert template["description"]
    fields = [one for one in template["body"] if one["type"] != "markdown"]
    assert len({one["id"] for one in fields}) == len(fields)
    for one in fields:
        assert one["type"] in ("textarea", "input", "dropdown", "checkboxes")
        assert one["attributes"]["label"]
    if name == "bug":
        assert "Never attach a picture of a person" in template["body"][0]["attributes"]["value"]
