"""Names of files, classes, runs and recipes are shown, and never obeyed."""

from __future__ import annotations

import csv
import json
import re
import shutil

import cv2
import numpy as np
import pytest

from mien.errors import RunError
from mien.runs.run import Run

ESCAPES = "a\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\nmien: all is well\r"
FORMULA = '=HYPERLINK("x")'
MARKUP = "<img src=x onerror=alert(1)>"


def is_plain(outcome) -> bool:
    return all(one.isprintable() or one == "\n" for one in outcome.out + outcome.err)


def lines_that_lie(outcome) -> list[str]:
    """Return the lines that a name has made; an escaped one may be at the beginning of a line."""
    lines = (outcome.out + outcome.err).split("\n")
    return [line for line in lines if re.match(r"mien: all is well(?!\\r)", line)]


@pytest.fixture
def folder(tmp_path, faces, monkeypatch):
    """Face crops of which every name acts, and a file that is no image."""
    monkeypatch.chdir(tmp_path)
    for row, face in enumerate(faces.images[:42]):
        path = tmp_path / ESCAPES / "train" / faces.names[row % 7] / f"{FORMULA}{ESCAPES}{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", face)[1].tobytes())
    (path.parent / f"{ESCAPES}bad.png").write_text("no image")
    return tmp_path / ESCAPES


@pytest.mark.parametrize(
    "command",
    [
        "predict {photo} --crops",
        "predict {photo} --crops --json",
        "predict {class} --crops",
        "predict {class} --crops --csv {folder}/x.csv --save-crops {folder}/crops",
        "predict {bad}",
        "explain mien-xs {photo} --crops --out {folder}/x.html",
        "data info {folder}",
        "data info {folder} --skip-bad",
        "data info {folder} --skip-bad --json",
        "data audit {folder} --out {folder}-audit",
        "data explore {folder} --skip-bad --out {folder}-page",
        "data clean {folder} --skip-bad --out {folder}-new",
        "data split {folder} --skip-bad --fractions 70,15,15 --out {folder}-split",
        "evaluate {folder} --data {folder}",
        "compare {folder} {bad}",
        "recipes {folder}/x.toml",
        "train {folder}/x.toml --data {folder}",
        "--{folder}",
        "predict --{folder}",
        "{folder}",
        "predict {photo} --from {folder}",
        "predict {photo} --sink {folder}=x",
    ],
)
def test_names_of_files_do_not_reach_the_terminal_as_they_are(command, folder, mien):
    kind = sorted((folder / "train").iterdir())[-1]
    names = {"folder": folder, "class": kind, "bad": kind / f"{ESCAPES}bad.png"}
    names["photo"] = next(path for path in kind.iterdir() if path != names["bad"])
    for path in (folder / "x.toml", kind):
        if path.suffix:
            path.write_text('name = "x"\n# \x9b31m\u202e\n[train]\nepochs = "\x9b"\n')
    outcome = mien(*(word.format(**names) for word in command.split(" ")))
    assert outcome.out + outcome.err
    assert is_plain(outcome)
    assert not lines_that_lie(outcome)


def test_json_keeps_the_names_of_files(folder, mien):
    kind = next((folder / "train").iterdir())
    photo = next(kind.iterdir())
    (reading,) = json.loads(mien("predict", photo, "--crops", "--json").out)
    assert reading["source"] == str(photo)


def test_names_of_classes_do_not_act(tmp_path, faces, mien):
    for row, face in enumerate(faces.images[:60]):
        path = tmp_path / "data" / "train" / ["[/b]=1" + ESCAPES.strip(), "happy"][row % 2]
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{row}.png").write_bytes(cv2.imencode(".png", face)[1].tobytes())
    outcome = mien("data", "info", tmp_path / "data", "--labels", "auto")
    assert outcome.code in (0, 2)
    assert is_plain(outcome)
    assert not lines_that_lie(outcome)


def test_no_cell_of_a_table_of_readings_is_a_formula(tmp_path, faces, monkeypatch, mien):
    monkeypatch.chdir(tmp_path)
    photo = tmp_path / f"{FORMULA}.png"
    photo.write_bytes(cv2.imencode(".png", faces.images[0])[1].tobytes())
    assert mien("predict", photo.name, "--crops", "--csv", "x.csv").code == 0
    with (tmp_path / "x.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["source"] == f"'{photo.name}"


def test_a_comparison_of_runs_whose_names_act(run, tmp_path, mien):
    runs = [tmp_path / name for name in (FORMULA, MARKUP.replace("/", ""), f"-a|b_c_{ESCAPES}")]
    for path in runs:
        shutil.copytree(run.path, path)
    outcome = mien("compare", *runs, "--out", tmp_path / "page")
    assert outcome.code == 0
    assert is_plain(outcome)
    assert not lines_that_lie(outcome)
    page = (tmp_path / "page" / "compare.md").read_text()
    assert MARKUP not in page
    assert "<" not in page
    assert "a\\|b\\_c\\_" in page
    assert "\x1b" not in page
    assert MARKUP not in (tmp_path / "page" / "compare.html").read_text()
    with (tmp_path / "page" / "compare.csv").open(newline="") as file:
        names = [row["run"] for row in csv.DictReader(file)]
    assert names[:2] == [f"'{FORMULA}", MARKUP]


def test_a_manifest_of_names_that_are_formulas_is_read_back(tmp_path, faces, mien):
    data, read = tmp_path / "data", ("--labels", "auto")
    blank = np.zeros((48, 48), np.uint8)
    for row, face in enumerate([*faces.images[:40], blank, blank]):
        path = data / "train" / ("=a", "@b")[row % 2] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", face)[1].tobytes())
    done = mien("data", "clean", data, *read, "--out", tmp_path / "new")
    assert done.code == 0
    manifest = tmp_path / "new" / "manifest.csv"
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {"'=a", "'@b"}
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "@"))]
    again = mien("data", "clean", data, *read, "--manifest", manifest, "--out", tmp_path / "again")
    assert again.code == 0
    assert (tmp_path / "again" / "manifest.csv").read_bytes() == manifest.read_bytes()


def test_the_log_of_test_measurements_is_not_written_through_a_link(run, layouts, tmp_path, mien):
    path = tmp_path / "run"
    shutil.copytree(run.path, path)
    victim = tmp_path / "victim.txt"
    victim.write_text("mine\n")
    (path / "test_log.csv").unlink(missing_ok=True)
    (path / "test_log.csv").symlink_to(victim)
    outcome = mien("evaluate", path, "--data", layouts["csv"], "--split", "test")
    assert outcome.code == 2
    assert "test_log.csv: is a link" in outcome.err
    assert outcome.err.count("\n") == 1
    assert victim.read_text() == "mine\n"
    with pytest.raises(RunError, match="is a link"):
        from mien.runs.test_log import count_measurements

        count_measurements(Run(path).path)
