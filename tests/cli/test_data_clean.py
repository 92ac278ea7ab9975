"""``mien data clean``, as a user calls it."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.data import FaceDataset, load_dataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.fer2013 import FERPLUS_VOTES, USAGES
from mien.data.formats.base import FORMATS, writable_layouts
from mien.data.write import write_dataset
from mien.labels import FER2013

BLANK = np.full((48, 48), 90, np.uint8)
NAMES = {name: f"fer{FORMATS[name].suffix}" for name in writable_layouts()}


@pytest.fixture
def planted(pictures) -> FaceDataset:
    p = pictures
    rows = [
        (p[0], "happy", "train"),
        (p[0], "happy", "train"),  # 1: a copy
        (p[1], "sad", "train"),
        (p[1], "angry", "train"),  # 3: of another label than 2
        (p[2], "fear", "train"),
        (BLANK, "neutral", "train"),  # 5
        (p[3], "happy", "train"),  # 6: mirrored in val
        (p[4], "surprise", "train"),  # 7: in test
        (p[3][:, ::-1], "happy", "val"),
        (p[5], "disgust", "val"),
        (p[4], "surprise", "test"),
    ]
    return FaceDataset(
        images=np.stack([image for image, _, _ in rows]),
        labels=np.array([FER2013.names.index(label) for _, label, _ in rows]),
        splits=np.array([split for _, _, split in rows]),
        ids=np.array([str(row) for row in range(len(rows))]),
    )


@pytest.fixture(params=writable_layouts())
def layout(request) -> str:
    return request.param


@pytest.fixture
def source(planted, layout, tmp_path) -> Path:
    path = tmp_path / "source" / NAMES[layout]
    path.parent.mkdir()
    write_dataset(planted, path, layout)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def manifest_of(new: Path) -> Path:
    return new / "manifest.csv" if new.is_dir() else new.with_name(new.name + ".manifest.csv")


def test_a_clean_copy_and_its_manifest(mien, planted, source, layout, tmp_path):
    new = tmp_path / NAMES[layout]
    before = load_dataset(source)
    outcome = mien("data", "clean", source, "--out", new)
    assert outcome.code == 0, outcome.err
    cleaned = load_dataset(new)
    assert cleaned.layout == layout
    kept = [0, 4, 8, 9, 10]
    assert np.array_equal(cleaned.images, planted.images[kept])
    assert np.array_equal(cleaned.labels, planted.labels[kept])
    assert not find_duplicates(cleaned.images).across(cleaned.splits).any.any()

    ids = load_dataset(source).ids.tolist()
    lines = read(manifest_of(new))
    assert [(ids.index(line["id"]), line["action"]) for line in lines] == [
        (1, "merge"), (2, "drop"), (3, "drop"), (5, "drop"), (6, "drop"), (7, "drop"),
    ]  # fmt: skip
    assert [line["duplicate"] and ids.index(line["duplicate"]) for line in lines] == [
        0,
        3,
        2,
        "",
        8,
        10,
    ]
    assert {line["split"] for line in lines} == {"train"}

    assert load_dataset(source).fingerprint == before.fingerprint
    for words in ("blank", "merge", "train", "before", "after", str(manifest_of(new))):
        assert words in outcome.out
    assert f"mien data clean {source} --manifest EDITED.csv --out NEW2" in outcome.out
    long = (str(tmp_path),)
    assert all(len(line) <= 80 for line in outcome.out.splitlines() if long[0] not in line)


@pytest.mark.parametrize("leaks", ["drop", "move", "keep"])
def test_the_manifest_applied_again_gives_the_same(mien, source, layout, tmp_path, leaks):
    first, second = (tmp_path / f"{name}-{NAMES[layout]}" for name in ("first", "second"))
    assert mien("data", "clean", source, "--leaks", leaks, "--out", first).code == 0
    outcome = mien("data", "clean", source, "--manifest", manifest_of(first), "--out", second)
    assert outcome.code == 0, outcome.err
    assert "Searching for duplicates" not in outcome.err
    assert load_dataset(first).fingerprint == load_dataset(second).fingerprint
    assert manifest_of(first).read_bytes() == manifest_of(second).read_bytes()


def test_decisions_can_be_taken_back(mien, planted, source, layout, tmp_path):
    first, second = (tmp_path / f"{name}-{NAMES[layout]}" for name in ("first", "second"))
    mien("data", "clean", source, "--out", first)
    edited = tmp_path / "edited.csv"
    text = manifest_of(first).read_text().splitlines()
    edited.write_text("\n".join(line for line in text if "merge" not in line))
    assert mien("data", "clean", source, "--manifest", edited, "--out", second).code == 0
    assert np.array_equal(load_dataset(second).images, planted.images[[0, 1, 4, 8, 9, 10]])
    assert "merge" not in manifest_of(second).read_text()


def test_leaks_may_move_into_train(mien, planted, source, layout, tmp_path):
    new = tmp_path / NAMES[layout]
    outcome = mien("data", "clean", source, "--leaks", "move", "--out", new)
    assert outcome.code == 0, outcome.err
    cleaned = load_dataset(new, make_val=False)
    assert cleaned.split_counts() == {"train": 5, "val": 1}
    assert np.array_equal(cleaned.images, planted.images[[0, 4, 6, 7, 8, 9]])


def test_votes_decide_and_stay_with_parquet(mien, planted, tmp_path):
    votes = np.zeros((11, 10), np.int8)
    votes[2:4, FERPLUS_VOTES.index("anger")] = 10
    write_dataset(replace(planted, votes=votes), tmp_path / "fer.parquet", "parquet")
    new = tmp_path / "new.parquet"
    assert mien("data", "clean", tmp_path / "fer.parquet", "--out", new).code == 0
    cleaned = load_dataset(new)
    assert cleaned.labels[1] == FER2013.names.index("angry")
    assert cleaned.votes is not None
    assert cleaned.votes[1].max() == 10
    lines = {(line["action"], line["label"], line["new_label"]) for line in read(manifest_of(new))}
    assert ("relabel", "sad", "angry") in lines
    outcome = mien("data", "clean", tmp_path / "fer.parquet", "--out", tmp_path / "new",
                   "--layout", "folders")  # fmt: skip
    assert "The layout folders does not keep FER+ votes; --layout parquet does" in outcome.err


def test_votes_from_their_own_file(mien, planted, tmp_path):
    write_dataset(planted, tmp_path / "fer.csv", "csv")
    rows = [f"{USAGES[split]},,0,0,0,10{',0' * 6}" for split in planted.splits.tolist()]
    header = f"Usage,Image name,{','.join(FERPLUS_VOTES)}"
    (tmp_path / "votes.csv").write_text("\n".join([header, *rows]))
    new = tmp_path / "new.csv"
    outcome = mien("data", "clean", tmp_path / "fer.csv", "--votes", tmp_path / "votes.csv",
                   "--out", new)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert load_dataset(new).labels[1] == FER2013.names.index("sad")
    assert f"--votes {tmp_path / 'votes.csv'} --manifest EDITED.csv" in outcome.out


def test_a_dry_run_writes_nothing(mien, source, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    for options in ([], ["--out", tmp_path / "new"]):
        outcome = mien("data", "clean", source, "--dry-run", *options)
        assert outcome.code == 0, outcome.err
        assert "blank" in outcome.out
        assert "Nothing was written" in outcome.out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_set_without_faults_is_copied(mien, planted, tmp_path):
    write_dataset(planted.take(np.array([0, 4, 9, 10])), tmp_path / "fer.csv", "csv")
    outcome = mien("data", "clean", tmp_path / "fer.csv", "--out", tmp_path / "new.csv")
    assert "Nothing to do" in outcome.out
    assert (tmp_path / "new.csv").read_bytes() == (tmp_path / "fer.csv").read_bytes()
    assert read(manifest_of(tmp_path / "new.csv")) == []


def test_splits_that_are_made_keep_duplicates_together(mien, pictures, tmp_path):
    faces = FaceDataset(
        images=np.concatenate([pictures, pictures[:, :, ::-1]]),
        labels=np.tile(np.arange(40) % 7, 2),
        splits=np.repeat("train", 80),
        ids=np.array([str(row) for row in range(80)]),
    )
    source, new = tmp_path / "fer.csv", tmp_path / "new.csv"
    write_dataset(faces, source, "csv")
    text = source.read_text().splitlines()
    source.write_text("\n".join(line.rpartition(",")[0] for line in text))
    outcome = mien("data", "clean", source, "--out", new)
    assert outcome.code == 0, outcome.err
    assert "duplicates together" in outcome.out
    cleaned = load_dataset(new)
    assert (len(cleaned), set(cleaned.split_counts())) == (80, {"train", "val", "test"})


@pytest.mark.parametrize("what", ["set", "manifest"])
def test_nothing_is_written_over(mien, source, layout, tmp_path, what):
    new = tmp_path / NAMES[layout]
    taken = new if what == "set" or not FORMATS[layout].suffix else manifest_of(new)
    taken.write_text("mine")
    outcome = mien("data", "clean", source, "--out", new)
    assert outcome.code == 2
    assert f"{taken}: exists already" in outcome.err
    assert taken.read_text() == "mine"
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(["source", taken.name])


def test_never_in_place(mien, source, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert mien("data", "clean", source, "--out", source).code == 2
    folder = source.parent if source.is_file() else source
    inside = mien("data", "clean", folder, "--out", folder / "new")
    assert inside.code == 2
    assert "is inside the data set" in inside.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: text.replace("merge", "marge"), "line 2 has the action 'marge'"),
        (lambda text: text.replace(",train,", ",test,", 1), "line 2 says that"),
        (lambda text: text.replace("\n", "\nx", 1), "line 2 is about 'x"),
        (lambda text: text[: len(text) // 2], "line"),
        (lambda _: "", "the header is ''"),
        (lambda _: None, "cannot be read (No such file"),
    ],
)
def test_a_manifest_that_is_wrong_is_one_line_and_leaves_nothing(
    mien, source, layout, tmp_path, change, expected
):
    mien("data", "clean", source, "--out", tmp_path / NAMES[layout])
    edited = tmp_path / "edited.csv"
    text = change(manifest_of(tmp_path / NAMES[layout]).read_text())
    if text is not None:
        edited.write_text(text)
    before = sorted(tmp_path.rglob("*"))
    outcome = mien("data", "clean", source, "--manifest", edited, "--out", tmp_path / "new")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert f"{edited}: " in outcome.err
    assert expected in outcome.err
    assert sorted(tmp_path.rglob("*")) == before


def test_options_that_do_not_go_together_are_refused(mien, source, tmp_path):
    assert "--out NEW" in mien("data", "clean", source).err
    outcome = mien("data", "clean", source, "--manifest", source, "--leaks", "drop",
                   "--out", tmp_path / "new")  # fmt: skip
    assert outcome.code == 2
    assert "has no effect with" in outcome.err
    assert not (tmp_path / "new").exists()


def test_bad_images_are_said_and_left_out_on_request(mien, planted, tmp_path):
    path = tmp_path / "bad.csv"
    write_dataset(planted, path, "csv")
    with path.open("a") as handle:
        handle.write("3,1 2,Training\n")
    refused = mien("data", "clean", path, "--out", tmp_path / "new.csv")
    assert (refused.code, "row 12 has 2 pixels" in refused.err) == (2, True)
    outcome = mien("data", "clean", path, "--skip-bad", "--out", tmp_path / "new.csv")
    assert outcome.code == 0
    assert "Left out 1" in outcome.err
    assert "--skip-bad --manifest EDITED.csv" in outcome.out
