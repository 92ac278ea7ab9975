"""``mien explain``: a page of maps, or one line that says why there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from tests.cli.test_predict import write_video
from tests.reports.page import Page

from mien.bundle.bundle import find_bundle
from mien.data.synthetic.faces import synthetic_faces

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crops")
    for index, image in enumerate(synthetic_faces(8, seed=5).images):
        cv2.imwrite(str(folder / f"{index}.png"), image)
    return folder


def test_it_explains_itself_in_80_columns(mien):
    outcome = mien("explain", "--help")
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_a_run_explains_face_crops(mien, run, crops, tmp_path):
    path = tmp_path / "page.html"
    outcome = mien("explain", run.path, crops, "--crops", "--out", path)
    assert outcome.code == 0, outcome.err
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.images_without_words == page.scripts == 0
    assert text.count("<img") == 1 + 3 * 8
    assert text.count("Grad-CAM: evidence for") == 8
    assert "where, not why" in text
    assert "Sanity check" in text
    assert "sanity check" in outcome.out
    table, _, rest = outcome.out.partition("sanity check")
    assert all(f"{index}.png" in table for index in range(8))
    assert max(map(len, table.splitlines())) <= 80
    assert str(path) in rest


@pytest.fixture
def alone(tmp_path):
    """A Bundle without float weights beside it."""
    return shutil.copy(find_bundle("mien-xs"), tmp_path / "alone.onnx")


def test_a_photo_is_searched_for_faces_and_a_bundle_alone_has_occlusion(mien, alone, tmp_path):
    path = tmp_path / "page.html"
    outcome = mien("explain", alone, ASTRONAUT, "--detector", "haar", "--out", path)
    assert outcome.code == 0
    assert "astronaut.png" in outcome.out
    assert "happy" in outcome.out
    (said,) = (line for line in outcome.err.splitlines() if "Grad-CAM" in line)
    assert "no float weights are in the same folder" in said
    assert "name its run directory" in said
    text = path.read_text(encoding="utf-8")
    assert said.split(": ", 1)[1] in text.replace("&#39;", "'")
    assert text.count("<img") == 1 + 2


def test_json(mien, run, crops, tmp_path):
    path = tmp_path / "page.html"
    found = json.loads(mien("explain", run.path, crops, "--crops", "--json", "--out", path).out)
    assert found["page"] == str(path)
    assert found["photos"] == found["found"] == len(found["faces"]) == 8
    assert found["sanity"]["images"] == 8
    assert all(0 <= face["largest_drop"] <= 1 for face in found["faces"])
    assert {"emotion", "probabilities", "box", "source"} <= found["faces"][0].keys()


def test_a_page_without_a_name_replaces_no_other(mien, run, crops, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "explanations.html").write_text("another")
    outcome = mien("explain", run.path, crops / "0.png", "--crops")
    assert outcome.code == 0, outcome.err
    assert "explanations-2.html" in outcome.out
    assert (tmp_path / "explanations.html").read_text() == "another"


def test_training_faces_are_shown_only_when_asked_for(mien, run, crops, layouts, alone, tmp_path):
    path = tmp_path / "page.html"
    asked = ["explain", run.path, crops / "0.png", "--crops", "--out", path]
    assert mien(*asked).code == 0
    assert "training face labelled" not in path.read_text()
    assert mien(*asked, "--nearest", layouts["csv"]).code == 0
    text = path.read_text()
    assert text.count('alt="A training face labelled') == 5
    assert "holds faces of the data set" in text
    path.unlink()
    for arguments, said in (
        ([*asked, "--nearest", tmp_path / "nowhere.csv"], "nowhere.csv"),
        (["explain", alone, *asked[2:], "--nearest", layouts["csv"]], "--nearest needs"),
    ):
        outcome = mien(*arguments)
        assert outcome.code == 2
        assert said in outcome.err
        assert len(outcome.err.splitlines()) == 1
        assert not path.exists()


def test_of_many_faces_the_largest_are_explained(mien, tmp_path):
    small, large = np.random.default_rng(0).integers(0, 256, (2, 60, 60), np.uint8)
    for index in range(62):
        image = large if index in (7, 61) else small[:50, :50]
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), image)
    path = tmp_path / "page.html"
    outcome = mien("explain", "mien-xs", f"{tmp_path}/*.png", "--crops", "--out", path)
    assert "62 faces were found; the 60 largest are explained" in outcome.out
    text = path.read_text()
    assert "62 faces in 62 photos; the 60 largest are shown" in text
    for kept in ("00.png", "07.png", "57.png", "58.png", "61.png"):
        assert f"{kept}, box" in text
    assert "60.png, box" not in text


def test_no_face_is_no_error_and_no_page(mien, run, tmp_path):
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((80, 80, 3), 120, np.uint8))
    arguments = ["explain", "mien-xs", tmp_path / "wall.png", "--detector", "haar"]
    outcome = mien(*arguments, "--out", tmp_path / "page.html")
    assert outcome.code == 0
    assert "no face found in 1 photo; no page" in outcome.out
    assert not (tmp_path / "page.html").exists()
    found = json.loads(mien(*arguments, "--json").out)
    assert found["page"] is None
    assert found["faces"] == []


def test_one_bad_file_among_many_is_listed(mien, crops, tmp_path):
    shutil.copy(crops / "0.png", tmp_path / "a.png")
    (tmp_path / "b.jpg").write_text("I am text")
    path = tmp_path / "page.html"
    outcome = mien("explain", "mien-xs", tmp_path, "--crops", "--out", path)
    assert outcome.code == 1
    assert "b.jpg: a text file cannot be decoded" in outcome.err
    assert "a.png" in path.read_text()


def test_what_cannot_be_is_one_line_and_no_page(mien, crops, run, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("I am text")
    video = write_video(tmp_path / "walk.avi", frames=5)
    path = tmp_path / "page.html"
    for arguments, said in (
        (["nobody", crops], "nobody: no such run"),
        ([run.path / "checkpoints", crops], "holds no Bundle"),
        (["mien-xs", text], "text.jpg: a text file cannot be decoded"),
        (["mien-xs", tmp_path / "nowhere.png"], "no such file"),
        (["mien-xs", video], "only photos are explained; save the faces with mien predict"),
        (["mien-xs", crops / "0.png", video], "only photos are explained"),
        (["mien-xs", crops, "--crops", "--detector", "haar"], "leave out --detector haar"),
        (["mien-xs", crops, "--crops", "--max-pixels", "99"], "raise it with --max-pixels"),
    ):
        outcome = mien("explain", *arguments, "--out", path)
        assert outcome.code == 2, arguments
        assert said in outcome.err.splitlines()[0], outcome.err
        assert not path.exists()
    photo = crops / "0.png"
    before = photo.read_bytes()
    outcome = mien("explain", "mien-xs", crops, "--crops", "--out", photo)
    assert outcome.code == 2
    assert "is one of the sources" in outcome.err
    assert photo.read_bytes() == before
    outcome = mien("explain", "mien-xs", crops, "--crops", "--out", "/proc/nowhere/page.html")
    assert outcome.code == 2
    assert "cannot be written" in outcome.err


def test_without_torch_the_page_has_occlusion_and_says_why(crops, run, tmp_path):
    path = tmp_path / "page.html"
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from mien.cli.main import main\n"
        f"sys.argv = ['mien', 'explain', {str(run.path)!r}, {str(crops / '0.png')!r},"
        f" '--crops', '--out', {str(path)!r}]\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ)
    )
    assert ended.returncode == 0, ended.stderr
    assert "Without Grad-CAM: torch is not installed: pip install 'mien[train]'" in ended.stderr
    assert "torch is not installed" in path.read_text()
