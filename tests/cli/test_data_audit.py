from __future__ import annotations

import json
import shlex
from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import distinct_faces

from mien.data import FaceDataset
from mien.data.formats.base import writable_layouts
from mien.data.write import write_dataset


@pytest.fixture(scope="module")
def clean() -> FaceDataset:
    return distinct_faces(280, seed=9)


@pytest.fixture(scope="module")
def leaky(clean) -> FaceDataset:
    images = clean.images.copy()
    images[np.nonzero(clean.splits == "test")[0][:5]] = images[:5]
    return replace(clean, images=images)


@pytest.mark.parametrize("layout", writable_layouts())
def test_a_leak_is_reported_and_ends_with_1(mien, leaky, layout, tmp_path):
    write_dataset(leaky, tmp_path / "faces", layout)
    outcome = mien("data", "audit", tmp_path / "faces", "--out", tmp_path / "audit")
    assert outcome.code == 1
    assert "test images with an identical image in train: 5" in outcome.out
    assert max(map(len, outcome.out.replace(str(tmp_path), "").splitlines())) <= 80
    audit = json.loads((tmp_path / "audit/audit.json").read_text())
    assert audit["findings"][0]["check"] == "identical-across-splits"
    assert (tmp_path / "audit/audit.html").is_file()


def test_a_clean_set_ends_with_0_unless_warnings_count(mien, clean, tmp_path):
    write_dataset(clean, tmp_path / "faces.csv", "csv")
    arguments = ("data", "audit", tmp_path / "faces.csv", "--out", tmp_path / "audit")
    outcome = mien(*arguments)
    assert outcome.code == 0
    assert "no identical images across splits" in outcome.out.replace("\n", " ")
    warned = '"severity": "warning"' in mien(*arguments, "--json").out
    assert mien(*arguments, "--strict").code == int(warned)


def test_what_cannot_be_read_is_a_finding_not_an_error(mien, clean, tmp_path):
    write_dataset(clean, tmp_path / "faces.csv", "csv")
    with (tmp_path / "faces.csv").open("a") as handle:
        handle.write("3,1 2 3,Training\n")
    outcome = mien("data", "audit", tmp_path / "faces.csv", "--out", tmp_path, "--json")
    (found,) = [one for one in json.loads(outcome.out)["findings"] if one["check"] == "unreadable"]
    assert "row 281 has 3 pixels" in found["items"][0]["note"]
    assert mien("data", "audit", tmp_path / "faces.csv", "--out", tmp_path, "--strict").code == 1


def test_against_another_data_set(mien, clean, leaky, tmp_path):
    write_dataset(clean.train, tmp_path / "known.parquet", "parquet")
    write_dataset(leaky.test, tmp_path / "test.csv", "csv")
    outcome = mien(
        "data", "audit", tmp_path / "known.parquet", "--against", tmp_path / "test.csv",
        "--out", tmp_path / "audit",
    )  # fmt: skip
    assert outcome.code == 1
    assert f"5 of {len(leaky.test)} images of test are inside known" in outcome.out
    apart = mien(
        "data", "audit", tmp_path / "known.parquet", "--against", tmp_path / "known.parquet",
        "--out", tmp_path / "audit", "--json",
    )  # fmt: skip
    (found,) = json.loads(apart.out)["findings"]
    assert found["figures"]["identical"] == len(clean.train)


def test_a_bundle_doubts_labels(mien, clean, run, tmp_path):
    write_dataset(clean, tmp_path / "faces.csv", "csv")
    outcome = mien(
        "data", "audit", tmp_path / "faces.csv", "--model", run.path, "--out", tmp_path / "audit"
    )
    assert outcome.code in (0, 1)
    assert "doubted by the Bundle" in outcome.out.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "no such file or folder"),
        (["faces.csv", "--model", "nowhere"], "nowhere"),
        (["faces.csv", "--against", "nowhere"], "no such file or folder"),
        (["faces.csv", "--votes", "faces.csv"], "the header is"),
    ],
)
def test_bad_input_is_one_line(mien, clean, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_dataset(clean, tmp_path / "faces.csv", "csv")
    outcome = mien("data", "audit", *arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert outcome.err.startswith("mien: ")
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_the_splits_are_judged_as_the_files_state_them(mien, clean, tmp_path):
    faces = clean.take(np.nonzero(clean.splits != "val")[0])
    images = faces.images.copy()
    images[1:60:2] = images[0:60:2, :, ::-1]  # near duplicates inside train, which no test knows
    write_dataset(replace(faces, images=images), tmp_path / "faces", "folders")
    outcome = mien("data", "audit", tmp_path / "faces", "--out", tmp_path / "audit", "--json")
    audit = json.loads(outcome.out)
    assert outcome.code == 0
    assert audit["split_rule"] == "as the files say"
    assert list(audit["split_counts"]) == ["train", "test"]


def test_a_run_reads_only_what_it_has_not_learned(mien, faces, run, tmp_path):
    write_dataset(faces.train, tmp_path / "train.csv", "csv")  # a part, so another data set
    arguments = ("--model", run.path, "--out", tmp_path / "audit", "--json")
    alone = json.loads(mien("data", "audit", tmp_path / "train.csv", *arguments).out)
    assert "labels: the Bundle quick was trained on every image" in alone["not_checked"]


@pytest.mark.parametrize("option", ["--votes", "--model"])
def test_what_has_no_effect_against_another_set_is_refused(mien, option):
    outcome = mien("data", "audit", "a.csv", "--against", "b.csv", option, "c")
    assert outcome.code == 2
    assert option in outcome.err
    assert "has no effect with --against" in outcome.err


def test_the_commands_that_mend_run_as_they_stand(mien, leaky, tmp_path):
    source = tmp_path / "faces.csv"
    write_dataset(leaky, source, "csv")
    with source.open("a") as handle:
        handle.write("3,1 2 3,Training\n")  # which the audit passes over
    audited = mien("data", "audit", source, "--out", tmp_path / "audit")
    (clean,) = [line for line in audited.out.splitlines() if line.startswith("Next: ")]
    _, *words = shlex.split(clean.removeprefix("Next: "))
    cleaned = mien(*words)
    assert cleaned.code == 0, cleaned.err
    assert (tmp_path / "faces-clean.csv").is_file()
    assert mien("data", "audit", tmp_path / "faces-clean.csv", "--out", tmp_path).code == 0
