"""``mien data explore``, as a user calls it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mien.data import load_dataset
from mien.data.fer2013 import FERPLUS_VOTES, USAGES
from mien.data.formats.base import writable_layouts
from mien.data.write import write_dataset


@pytest.mark.parametrize("layout", writable_layouts())
def test_page_and_tables_of_every_layout(mien, layouts, tmp_path, layout):
    outcome = mien("data", "explore", layouts[layout], "--out", tmp_path)
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "explore.html").is_file()
    assert f"{tmp_path / 'explore.html'}" in outcome.out
    for word in ("Classes", "Intensity", "Contrast", "Image sizes", "48×48", "happy"):
        assert word in outcome.out
    assert "FER+" not in outcome.out
    shown = [line for line in outcome.out.splitlines() if not line.startswith("page")]
    assert max(map(len, shown)) <= 80
    assert outcome.err == ""


def test_it_goes_to_runs_by_default(mien, layouts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mien("data", "explore", layouts["csv"]).code == 0
    assert (tmp_path / "runs" / "explore" / "explore.html").is_file()


def test_json_gives_the_figures_and_nothing_else(mien, layouts, tmp_path):
    outcome = mien("data", "explore", layouts["csv"], "--json", "--out", tmp_path)
    found = json.loads(outcome.out)
    dataset = load_dataset(layouts["csv"])
    assert found["images"] == 280
    assert found["counts"]["val"] == dataset.val.class_counts()
    means = dataset.images.mean((1, 2))
    assert found["intensity_of_all"]["median"] == pytest.approx(np.median(means))
    assert found["sizes"] == [{"width": 48, "height": 48, "images": 280}]
    assert found["votes"] is None
    assert found["skipped"] == []


def test_votes(mien, faces, tmp_path):
    votes = np.zeros((280, 10), np.int8)
    votes[:, 0] = 10  # neutral, all of them
    write_dataset(replace(faces, votes=votes), tmp_path / "faces.parquet", "parquet")
    path, page = tmp_path / "faces.parquet", tmp_path / "out"
    outcome = mien("data", "explore", path, "--out", page)
    assert outcome.code == 0
    assert "Labels and FER+" in outcome.out
    shown = [line for line in outcome.out.splitlines() if not line.startswith("page")]
    assert max(map(len, shown)) <= 80
    found = json.loads(mien("data", "explore", path, "--json", "--out", page).out)
    neutral = int(np.count_nonzero(faces.labels == 6))
    assert found["votes"]["overall"]["share"] == pytest.approx(neutral / 280)
    assert found["votes"]["by_label"]["happy"]["share"] == 0


def test_votes_from_their_own_file(mien, layouts, faces, tmp_path):
    rows = [f"{USAGES[split]},,10{',0' * 9}" for split in faces.splits.tolist()]
    file = tmp_path / "fer2013new.csv"
    file.write_text("\n".join([f"Usage,Image name,{','.join(FERPLUS_VOTES)}", *rows]))
    outcome = mien("data", "explore", layouts["csv"], "--votes", file, "--json", "--out", tmp_path)
    overall = json.loads(outcome.out)["votes"]["overall"]
    assert (overall["images"], overall["majorities"]["neutral"]) == (280, 280)


def test_one_image_in_one_split(mien, faces, tmp_path):
    write_dataset(faces.take(np.array([3])), tmp_path / "one", "folders")
    outcome = mien("data", "explore", tmp_path / "one", "--out", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert outcome.err.startswith("no image shows disgust, fear, ")
    assert outcome.err.count("\n") == 1


def test_what_is_wrong_is_said_and_skipped_on_request(mien, layouts, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(layouts["csv"].read_text() + "3,1 2,Training\n")
    refused = mien("data", "explore", path, "--out", tmp_path / "out")
    assert refused.code == 2
    assert "row 281 has 2 pixels" in refused.err
    assert not (tmp_path / "out").exists()
    outcome = mien("data", "explore", path, "--skip-bad", "--out", tmp_path / "out")
    assert outcome.code == 0
    assert "Left out 1" in outcome.err
    blocked = mien("data", "explore", layouts["csv"], "--out", path)
    assert blocked.code == 2
    assert "cannot be written" in blocked.err
