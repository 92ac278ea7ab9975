from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.curation.conftest import finding

from mien.curation import Audit, audit_dataset, audit_overlap, pairs
from mien.data import load_dataset
from mien.data.formats.base import writable_layouts
from mien.data.write import write_dataset


@pytest.fixture(scope="module")
def audit(planted) -> Audit:
    return audit_dataset(planted)


def test_identical_images_across_splits_are_counted(audit, planted):
    found = finding(audit, "identical-across-splits")
    assert found.severity == "serious"
    assert found.count == 6
    assert found.figures["pairs train–val"] == 3
    assert found.figures["val images with an identical image in train"] == 3
    assert {image.split for item in found.items for image in item.images} == {"train", "val"}
    ids = [image.id for image in found.items[0].images]
    rows = [int(np.nonzero(planted.ids == name)[0][0]) for name in ids]
    assert np.array_equal(planted.images[rows[0]], planted.images[rows[1]])


def test_near_duplicates_across_splits_are_counted_and_said_how(audit):
    found = finding(audit, "near-duplicates-across-splits")
    assert found.severity == "serious"
    assert found.figures["mirrored"] == 2
    assert found.figures["val images with a near duplicate in train"] == 2
    assert found.figures["val images with a duplicate of either kind in train"] == 5
    assert all(item.note.startswith("mirrored, correlation 1.00") for item in found.items)


def test_all_pairs_are_counted_and_the_most_similar_listed(planted, audit, monkeypatch):
    monkeypatch.setattr(pairs, "_MOST_ITEMS", 1)
    every = finding(audit, "near-duplicates-across-splits")
    some = finding(audit_dataset(planted), "near-duplicates-across-splits")
    assert some.items == every.items[:1] != every.items
    assert (some.count, some.figures) == (every.count, every.figures)


def test_copies_within_a_split_and_conflicting_labels(audit):
    assert finding(audit, "identical-within-splits").figures["surplus in train"] == 4
    conflicts = finding(audit, "conflicting-labels")
    assert conflicts.figures == {"groups": 2, "images": 4}
    for item in conflicts.items:
        assert len({image.label for image in item.images}) == 2


def test_bad_images(audit, planted):
    (train,) = np.nonzero(planted.splits == "train")
    for check, row in (("blank", 30), ("near-constant", 31), ("bordered", 32)):
        ids = [image.id for item in finding(audit, check).items for image in item.images]
        assert planted.ids[train[row]] in ids
        assert check == "bordered" or len(ids) == 1


def test_serious_findings_come_first_and_all_is_kept(audit, tmp_path):
    severities = [one.severity for one in audit.findings]
    assert severities == sorted(severities, key=["serious", "warning", "note"].index)
    assert audit.worst() == "serious"
    audit.save(tmp_path / "audit.json")
    assert Audit.model_validate_json((tmp_path / "audit.json").read_text()) == audit


def test_a_clean_set_has_nothing_serious(clean):
    audit = audit_dataset(clean)
    assert audit.worst() != "serious"
    assert "no identical images across splits" in audit.fine
    assert "no near duplicates across splits" in audit.fine
    assert "no blank images" in audit.fine


@pytest.mark.parametrize("layout", writable_layouts())
def test_the_findings_are_the_same_in_every_layout(planted, audit, layout, tmp_path):
    write_dataset(planted, tmp_path / "faces", layout)
    loaded = audit_dataset(load_dataset(tmp_path / "faces"))
    assert [(one.check, one.count, one.figures) for one in loaded.findings] == [
        (one.check, one.count, one.figures) for one in audit.findings
    ]


def test_the_progress_of_the_search_is_reported(clean, monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    reported = []
    audit_dataset(clean.take(np.arange(40)), progress=reported.append)
    assert reported == [1.0]


def test_one_split_says_what_could_not_be_looked_for(clean):
    audit = audit_dataset(clean.train)
    assert any("only one split" in line for line in audit.not_checked)
    assert not any("across splits" in line for line in audit.fine)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_few_images_are_no_trouble(clean, count):
    audit = audit_dataset(clean.take(np.arange(count)))
    assert audit.images == count
    assert any("too few images" in line for line in audit.not_checked)


def test_all_images_identical_is_no_trouble(clean):
    images = np.repeat(clean.images[:1], len(clean), axis=0)
    audit = audit_dataset(replace(clean, images=images))
    assert finding(audit, "identical-across-splits").count == len(clean)
    assert any("labels" in line for line in audit.not_checked)


def test_what_could_not_be_read_is_a_finding(clean):
    audit = audit_dataset(replace(clean.train, skipped=("a.png: the file is empty",)))
    found = finding(audit, "unreadable")
    assert found.title == "1 image could not be used"
    assert found.items[0].note == "a.png: the file is empty"


def test_how_much_of_one_set_is_inside_another(clean):
    test = replace(
        clean.take(np.arange(100)),
        images=np.concatenate(
            [clean.images[200:220], clean.images[220:230, :, ::-1], clean.images[:70]]
        ),
        name="mine",
    )
    audit = audit_overlap(test, replace(clean.take(np.arange(150, 400)), name="theirs"))
    found = finding(audit, "inside-other")
    assert found.figures["identical"] == 20
    assert found.figures["near"] == 10
    assert found.title == "30 of 100 images of mine are inside theirs"
    apart = audit_overlap(clean.take(np.arange(100)), clean.take(np.arange(200, 300)))
    assert apart.findings == ()
    assert apart.fine


def test_the_verdict_is_how_much_of_val_is_known_from_train(audit, planted, tmp_path):
    val = int((planted.splits == "val").sum())
    assert f"5 of {val:,} val images ({5 / val:.1%}) have a duplicate in train" in audit.verdict()
    audit.save(tmp_path / "audit.json")
    assert json.loads((tmp_path / "audit.json").read_text())["verdict"] == audit.verdict()


def test_the_verdict_without_a_leak_counts_what_may_be_wrong(audit):
    harmless = tuple(one for one in audit.findings if one.severity == "note")
    doubtful = tuple(one for one in audit.findings if one.severity != "serious")
    assert "makes scores wrong" in audit.model_copy(update={"findings": harmless}).verdict()
    assert "things may" in audit.model_copy(update={"findings": doubtful}).verdict()
