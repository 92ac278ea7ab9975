"""``mien data split``, as a user calls it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.data import FaceDataset, load_dataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.fer2013 import FERPLUS_VOTES, USAGES
from mien.data.formats.base import writable_layouts
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset

LAYOUTS = writable_layouts()


@pytest.fixture
def duplicated(pictures) -> FaceDataset:
    """40 pictures in train; each copied in val, half of the copies mirrored."""
    one = synthetic_faces(40, seed=6)
    copies = np.concatenate([pictures[:20], pictures[20:, :, ::-1]])
    return FaceDataset(
        images=np.concatenate([pictures, copies]),
        labels=np.tile(one.labels, 2),
        splits=np.repeat(["train", "val"], 40),
        ids=np.array([f"row {row}" for row in range(80)]),
    )


@pytest.mark.parametrize("source", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_becomes_any_other_and_keeps_its_splits(
    mien, faces, layouts, tmp_path, source, layout
):
    new = tmp_path / "new"
    outcome = mien("data", "split", layouts[source], "--layout", layout, "--out", new)
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    written = load_dataset(new)
    assert (written.layout, written.fingerprint) == (layout, faces.fingerprint)
    assert "Splits: as the files say." in outcome.out
    assert "duplicate" not in outcome.out


def test_the_layout_is_the_sources_by_default(mien, layouts, tmp_path):
    for layout, path in layouts.items():
        assert mien("data", "split", path, "--out", tmp_path / layout).code == 0
        assert load_dataset(tmp_path / layout).layout == layout


def test_splits_afresh_are_what_loading_gives(mien, layouts, tmp_path):
    new = tmp_path / "new.csv"
    arguments = ("--fractions", "50,25,25", "--seed", "3", "--layout", "csv", "--out", new)
    outcome = mien("data", "split", layouts["folders"], *arguments)
    assert outcome.code == 0, outcome.err
    expected = load_dataset(layouts["folders"], fractions=(0.5, 0.25, 0.25), seed=3)
    assert load_dataset(new).fingerprint == expected.fingerprint
    assert "stratified 50/25/25, seed 3; the files' own splits were pooled" in outcome.out
    shown = [line for line in outcome.out.splitlines() if not line.startswith("data set")]
    assert max(map(len, shown)) <= 80


@pytest.mark.parametrize("layout", LAYOUTS)
def test_duplicates_that_part_are_counted_and_kept_together_on_request(
    mien, duplicated, tmp_path, layout
):
    write_dataset(duplicated, tmp_path / "duplicates.parquet", "parquet")
    arguments = (
        "data", "split", tmp_path / "duplicates.parquet", "--fractions", "70,15,15", "--layout",
        layout,
    )  # fmt: skip
    apart = mien(*arguments, "--out", tmp_path / "apart")
    assert apart.code == 0, apart.err
    written = load_dataset(tmp_path / "apart")
    across = find_duplicates(written.images).across(written.splits)
    said = " ".join(apart.out.split())
    assert across.any.sum() > 0
    assert f"{across.any.sum()} of 80 images" in said
    assert f"({across.exact.sum()} exact, {across.near.sum()} near)" in said
    assert "Searching for duplicates" in apart.err
    together = mien(*arguments, "--keep-duplicates-together", "--out", tmp_path / "together")
    assert together.code == 0, together.err
    assert "duplicates together" in together.out
    assert "now have a duplicate" not in together.out
    written = load_dataset(tmp_path / "together")
    assert set(written.split_counts()) == {"train", "val", "test"}
    assert not find_duplicates(written.images).across(written.splits).any.any()


def test_a_set_without_duplicates_says_so(mien, pictures, tmp_path):
    write_dataset(
        replace(synthetic_faces(40, seed=6), images=pictures), tmp_path / "fer.csv", "csv"
    )
    outcome = mien("data", "split", tmp_path / "fer.csv", "--fractions", "0.6,0.2,0.2", "--out",
                   tmp_path / "new.csv")  # fmt: skip
    assert "No image has a duplicate in another split." in outcome.out


@pytest.mark.parametrize("option", [["--keep-duplicates-together"], ["--seed", "1"]])
def test_options_without_effect_are_refused(mien, layouts, tmp_path, option):
    new = tmp_path / "new.csv"
    outcome = mien("data", "split", layouts["csv"], *option, "--out", new)
    assert outcome.code == 2
    assert outcome.err.startswith(f"mien: {option[0]}: has no effect")
    assert outcome.err.count("\n") == 1
    assert "--fractions" in outcome.err
    assert not new.exists()


def test_files_that_name_no_split_are_split(mien, duplicated, tmp_path):
    source, new = tmp_path / "fer.csv", tmp_path / "new.csv"
    write_dataset(duplicated, source, "csv")
    source.write_text(
        "\n".join(line.rpartition(",")[0] for line in source.read_text().splitlines()) + "\n"
    )
    assert mien("data", "split", source, "--keep-duplicates-together", "--out", new).code == 0
    written = load_dataset(new)
    assert not find_duplicates(written.images).across(written.splits).any.any()
    apart = mien("data", "split", source, "--seed", "2", "--out", tmp_path / "apart.csv")
    assert "now have a duplicate in another split" in " ".join(apart.out.split())


def test_a_train_split_without_val_is_kept_whole(mien, faces, tmp_path):
    two = replace(faces, splits=np.where(faces.splits == "val", "test", faces.splits))
    write_dataset(two, tmp_path / "two", "folders")
    assert mien("data", "split", tmp_path / "two", "--layout", "csv", "--out",
                tmp_path / "two.csv").code == 0  # fmt: skip
    assert load_dataset(tmp_path / "two.csv", make_val=False).split_counts() == two.split_counts()
    # what others make of both is the same
    fingerprints = {load_dataset(tmp_path / name).fingerprint for name in ("two", "two.csv")}
    assert len(fingerprints) == 1


def write_votes(faces: FaceDataset, path: Path) -> None:
    rows = [f"{USAGES[split]},,10{',0' * 9}" for split in faces.splits.tolist()]
    path.write_text("\n".join([f"Usage,Image name,{','.join(FERPLUS_VOTES)}", *rows]))


def test_votes_are_kept_by_parquet_alone(mien, faces, layouts, tmp_path):
    write_votes(faces, tmp_path / "votes.csv")
    arguments = ("data", "split", layouts["csv"], "--votes", tmp_path / "votes.csv", "--out")
    kept = mien(*arguments, tmp_path / "new.parquet", "--layout", "parquet")
    assert kept.err == ""
    votes = load_dataset(tmp_path / "new.parquet").votes
    assert votes is not None
    assert votes[:, 0].tolist() == [10] * 280
    lost = mien(*arguments, tmp_path / "new.csv")
    assert lost.code == 0
    assert "The layout csv does not keep FER+ votes" in lost.err


def test_bad_rows_are_said_and_left_out_on_request(mien, layouts, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(layouts["csv"].read_text() + "3,1 2,Training\n")
    refused = mien("data", "split", path, "--out", tmp_path / "new.csv")
    assert (refused.code, "row 281 has 2 pixels" in refused.err) == (2, True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad.csv"]
    outcome = mien("data", "split", path, "--skip-bad", "--out", tmp_path / "new.csv")
    assert outcome.code == 0
    assert "Left out 1" in outcome.err
    assert len(load_dataset(tmp_path / "new.csv")) == 280


@pytest.mark.parametrize("fractions", ["70,20", "70,20,20", "most,some,few"])
def test_fractions_that_are_none_are_one_line(mien, layouts, tmp_path, fractions):
    outcome = mien("data", "split", layouts["csv"], "--fractions", fractions, "--out",
                   tmp_path / "new.csv")  # fmt: skip
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert f"'{fractions}'" in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_written_over(mien, layouts, tmp_path, layout):
    new = tmp_path / "new"
    new.write_text("mine")
    outcome = mien("data", "split", layouts[layout], "--out", new)
    assert outcome.code == 2
    assert "exists already" in outcome.err
    assert new.read_text() == "mine"


def test_nothing_is_written_into_the_source(mien, layouts):
    before = sorted(layouts["folders"].rglob("*"))
    outcome = mien("data", "split", layouts["folders"], "--out", layouts["folders"] / "new")
    assert outcome.code == 2
    assert "is inside the data set" in outcome.err
    assert sorted(layouts["folders"].rglob("*")) == before


def test_a_name_of_another_layout_is_refused(mien, layouts, tmp_path):
    outcome = mien("data", "split", layouts["parquet"], "--out", tmp_path / "new.csv")
    assert outcome.code == 2
    assert "ends in .csv, but the layout is parquet" in outcome.err
    assert "--layout csv" in outcome.err
    assert list(tmp_path.iterdir()) == []
