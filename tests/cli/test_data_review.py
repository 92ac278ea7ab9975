"""``mien data review`` without its page, which tests/service/test_review_page.py drives."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="not installed yet: make setup")

from mien.curation.manifest import read_manifest
from mien.data import FaceDataset, load_dataset
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.labels import LabelSet
from mien.service.review.decisions import Choice, Decisions
from mien.service.review.journal import journal_path, open_journal

NAMES = "low,mid,high"


@pytest.fixture
def dataset(tmp_path, monkeypatch) -> FaceDataset:
    """Thirty faces in faces.csv, in the current folder; 0 and 1 differ in their label alone."""
    drawn = synthetic_faces(30, seed=7, label_set=LabelSet(tuple(NAMES.split(","))))
    images, labels, splits = (np.array(one) for one in (drawn.images, drawn.labels, drawn.splits))
    images[1], labels[:2], splits[:2] = images[0], (0, 1), "train"
    monkeypatch.chdir(tmp_path)
    faces = replace(drawn, images=images, labels=labels, splits=splits)
    write_dataset(faces, tmp_path / "faces.csv", "csv")
    return load_dataset("faces.csv", labels=NAMES, make_val=False)


@pytest.fixture
def reviewed(dataset, tmp_path):
    """A journal of three decisions beside m.csv."""
    with open_journal(tmp_path / "m.csv", dataset) as journal:
        decisions = Decisions(journal, dataset)
        decisions.decide(Choice(0, "relabel", 1), 0)
        decisions.decide(Choice(2, "drop", 0), 0)
        decisions.decide(Choice(3, "keep", 0), 0)


READ = ("faces.csv", "--labels", NAMES)


def test_the_manifest_is_written_and_cleaning_applies_it(mien, dataset, reviewed, tmp_path):
    outcome = mien("data", "review", *READ, "--out", "m.csv", "--write")
    assert outcome.code == 0, outcome.err
    assert f"mien data clean faces.csv --labels {NAMES} --manifest m.csv --out NEW" in outcome.out
    assert "agreement" in outcome.out
    assert outcome.err == ""
    assert len(read_manifest(tmp_path / "m.csv", dataset)) == 2
    assert mien("data", "clean", *READ, "--manifest", "m.csv", "--out", "new.csv").code == 0
    cleaned = load_dataset("new.csv", labels=NAMES, make_val=False)
    assert len(cleaned) == 29
    assert cleaned.labels[0] == 1
    again = mien("data", "review", *READ, "--out", "m.csv", "--write")
    assert again.out == outcome.out


def test_reasons_come_from_the_audit(mien, dataset, reviewed, tmp_path):
    assert mien("data", "audit", *READ, "--out", "audit").code in (0, 1)
    arguments = (*READ, "--audit", "audit", "--out", "m.csv", "--write")
    assert mien("data", "review", *arguments).code == 0
    reasons = {line.id: line.because for line in read_manifest(tmp_path / "m.csv", dataset)}
    assert reasons[str(dataset.ids[0])] == "reviewed: conflicting-labels"
    unknown = mien("data", "review", *arguments, "--finding", "conflicting-label")
    assert unknown.code == 2
    assert "did you mean 'conflicting-labels'?" in unknown.err
    none = mien("data", "review", *arguments, "--finding", "conflicting-labels", "--class", "high")
    assert "there are no faces that the audit names of this split and class" in none.err
    audit = json.loads((tmp_path / "audit/audit.json").read_text())
    audit["findings"][0]["items"][0]["images"][0]["id"] = "row 999"
    (tmp_path / "audit/audit.json").write_text(json.dumps(audit))
    assert "is it the audit of another data set" in mien("data", "review", *arguments).err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "m.csv", "--finding", "blank"], "has no effect without --audit"),
        (["--out", "new.csv", "--write"], "there is no review to write"),
        (["--out", "taken.csv"], "taken.csv: exists already"),
        (["--out", "m.csv", "--audit", "nowhere"], "nowhere: cannot be read"),
        (["--out", "m.csv", "--class", "hihg"], "unknown label 'hihg'"),
        (["--out", "m.csv", "--model", "nowhere"], "nowhere"),
        (["--out", "m.csv", "--model", "mien-xs"], "load it with the labels of mien-xs"),
        (["--out", "faces.csv/m.csv"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_line(mien, reviewed, tmp_path, arguments, said):
    (tmp_path / "taken.csv").write_text("mine")
    before = sorted(path.name for path in tmp_path.iterdir())
    outcome = mien("data", "review", *READ, *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.splitlines()[-1].startswith("mien: ")
    assert "Traceback" not in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "taken.csv").read_text() == "mine"


def test_a_second_review_and_a_taken_port_are_refused(mien, dataset, reviewed, tmp_path):
    with open_journal(tmp_path / "m.csv", dataset):
        outcome = mien("data", "review", *READ, "--out", "m.csv")
    assert outcome.code == 2
    assert "m.csv: another mien data review has it open" in outcome.err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = mien("data", "review", *READ, "--out", "m.csv", "--port", str(port))
    assert outcome.code == 2
    assert f"127.0.0.1:{port}: cannot listen there" in outcome.err
    assert not (tmp_path / "m.csv").exists()


def test_a_damaged_last_line_is_told(mien, dataset, reviewed, tmp_path):
    path = journal_path(tmp_path / "m.csv")
    path.write_bytes(path.read_bytes()[:-5])
    outcome = mien("data", "review", *READ, "--out", "m.csv", "--write")
    assert outcome.code == 0
    assert "m.csv.journal: the last line is damaged" in outcome.err
    assert "Traceback" not in outcome.err
    assert len(read_manifest(tmp_path / "m.csv", dataset)) == 2


def test_a_journal_of_other_labels_is_refused(mien, reviewed):
    outcome = mien(
        "data", "review", "faces.csv", "--labels", "high,mid,low", "--out", "m.csv", "--write"
    )
    assert outcome.code == 2
    assert "has other images, labels or splits" in outcome.err


def test_the_guide_names_options_that_there_are(mien, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = (Path(__file__).parents[2] / "docs/how-to/review.md").read_text(encoding="utf-8")
    helps = [mien("data", verb, "--help").out for verb in ("review", "clean")]
    named = set(re.findall(r"--[a-z][a-z-]*", text))
    assert named <= set(re.findall(r"--[a-z][a-z-]*", " ".join(helps)))
    assert set(re.findall(r"--[a-z][a-z-]*", helps[0])) - {"--help"} <= named
