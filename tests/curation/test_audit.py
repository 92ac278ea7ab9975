from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.bundle.bundle import Bundle, find_bundle
from mien.curation import Audit, audit_dataset, audit_overlap
from mien.curation.checks.images import border_widths
from mien.curation.checks.labels import check_reading, doubt, read_crosswise, read_with_bundle
from mien.curation.checks.splits import check_splits
from mien.data import load_dataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import LAYOUTS, write_dataset
from mien.labels import FER2013_TRAIN_COUNTS, FERPLUS_VOTES


def finding(audit: Audit, check: str):
    (found,) = [one for one in audit.findings if one.check == check]
    return found


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


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_findings_are_the_same_in_every_layout(planted, audit, layout, tmp_path):
    write_dataset(planted, tmp_path / "faces", layout)
    loaded = audit_dataset(load_dataset(tmp_path / "faces"))
    assert [(one.check, one.count, one.figures) for one in loaded.findings] == [
        (one.check, one.count, one.figures) for one in audit.findings
    ]


def test_the_progress_of_the_search_is_told(clean, monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    told = []
    audit_dataset(clean.take(np.arange(40)), progress=told.append)
    assert told == [1.0]


def test_one_split_says_what_could_not_be_looked_for(clean):
    audit = audit_dataset(clean.train)
    assert any("one split only" in line for line in audit.not_checked)
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


def test_votes_against_labels(clean):
    votes = np.zeros((len(clean), 10), np.int8)
    happy, no_face = FERPLUS_VOTES.index("happiness"), FERPLUS_VOTES.index("NF")
    votes[:, happy] = 10
    votes[:3] = 0
    votes[:3, no_face] = 10
    audit = audit_dataset(replace(clean, votes=votes))
    assert finding(audit, "voted-no-face").count == 3
    noise = finding(audit, "label-noise")
    others = int(np.sum(clean.labels[3:] != 3))
    assert noise.count == others
    assert noise.items[0].note == "10 of 10 voted happiness"
    assert noise.figures["agree: happy"] == 1.0


def test_doubt_needs_a_class_above_its_threshold():
    probabilities = np.zeros((5, 7))
    probabilities[0, [0, 1]] = 0.8, 0.2  # class 0's threshold is (0.8 + 0.6) / 2
    probabilities[1, [0, 1]] = 0.6, 0.4
    probabilities[2, [0, 1]] = 0.1, 0.9  # class 1's is (0.9 + 0.5 + 0.2) / 3
    probabilities[3, [0, 1]] = 0.5, 0.5
    probabilities[4, [0, 1]] = 0.8, 0.2
    doubts = doubt(np.array([0, 0, 1, 1, 1]), probabilities)
    assert doubts == pytest.approx([0, 0, 0, 0, 0.6])


def test_a_crosswise_reader_doubts_labels_that_were_swapped():
    faces = synthetic_faces(700, seed=3)
    labels = faces.labels.copy()
    swapped = np.random.default_rng(0).choice(len(faces), 40, replace=False)
    labels[swapped] = (labels[swapped] + 3) % 7
    wrong = replace(faces, labels=labels)
    reading = read_crosswise(wrong, np.arange(len(wrong)))
    (found,) = check_reading(wrong, reading)
    ids = [item.images[0].id for item in found.items]
    doubted = np.isin(faces.ids[swapped], ids)
    assert doubted.mean() > 2 * found.count / len(faces)  # twice as often as by chance, at least
    first = ids[: len(ids) // 4]
    assert np.isin(first, faces.ids[swapped]).mean() > 2 * len(swapped) / len(faces)


def test_duplicates_are_read_by_what_has_not_learnt_them(clean):
    images = np.concatenate([clean.images[:150], clean.images[:150]])
    labels = np.random.default_rng(0).integers(0, 7, 150)
    doubled = replace(
        clean.take(np.arange(300)), images=images, labels=np.concatenate([labels, labels])
    )
    reading = read_crosswise(doubled, find_duplicates(images).groups)
    right = (reading.probabilities.argmax(1) == doubled.labels).mean()
    assert right < 0.35  # labels by chance: who reads more than one in seven knew the duplicate


def test_a_bundle_reads_but_what_it_has_learnt(run, layouts):
    dataset = load_dataset(layouts["csv"])
    bundle = Bundle(run.bundle_path)
    reading = read_with_bundle(dataset, bundle)
    assert np.array_equal(reading.read, dataset.splits != "train")
    other = replace(dataset, images=dataset.images[::-1].copy())
    reading = read_with_bundle(other, bundle)
    assert reading.read.all()
    assert "may have learnt" in reading.reader
    audit = audit_dataset(dataset.take(np.arange(60)), bundle=Bundle(find_bundle("mien-xs")))
    assert audit.images == 60


def test_borders_are_measured_in_pixels():
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
    images[1, :5] = 7
    images[2, :, -9:] = np.random.default_rng(1).integers(0, 4, (48, 9))
    images[3] = 200
    assert border_widths(images).tolist() == [0, 5, 9, 48]


def test_the_release_that_shuffled_its_splits_is_known(clean):
    splits = np.array(["train"] * 28_821 + ["val"] * 7_066)
    images = np.zeros((len(splits), 48, 48), np.uint8)
    faces = replace(
        clean, images=images, labels=np.arange(len(splits)) % 7, splits=splits, ids=splits
    )
    found, _ = check_splits(faces)
    assert found[0].check == "leaky-release"
    assert found[0].severity == "serious"


def test_a_published_split_is_known_by_its_counts(clean):
    labels = np.repeat(np.arange(7), FER2013_TRAIN_COUNTS)
    splits = np.full(len(labels), "train")
    images = np.broadcast_to(clean.images[0], (len(labels), 48, 48)).copy()
    faces = replace(clean, images=images, labels=labels, splits=splits, ids=splits)
    found, not_checked = check_splits(faces)
    titles = [one.title for one in found if one.check == "known-release"]
    assert titles == ["train has the class counts of FER-2013's Training, as published"]
    assert not_checked


def test_splits_that_were_drawn_otherwise_are_found(clean):
    order = np.argsort(clean.labels, kind="stable")  # train gets the first classes
    audit = audit_dataset(replace(clean, images=clean.images[order], labels=clean.labels[order]))
    assert finding(audit, "labels-drawn-otherwise").figures["p"] < 1e-6
    assert "missing-class" in {one.check for one in audit.findings}
    darker = clean.images.copy()
    darker[clean.splits == "val"] //= 2
    audit = audit_dataset(replace(clean, images=darker))
    assert finding(audit, "light-differs").figures["intensity train–val: p"] < 1e-6


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


def test_a_difference_in_light_allows_for_the_number_of_tests(clean):
    """Three splits make six tests; the least of them is by chance as small as one of them was."""
    levels = np.concatenate([np.arange(100), np.arange(100) + 29, np.arange(100)])
    images = np.broadcast_to(levels[:, None, None], (300, 48, 48)).astype(np.uint8)
    splits = np.repeat(np.array(["train", "val", "test"]), 100)
    faces = replace(clean.take(np.arange(300)), images=images, splits=splits)
    assert "light-differs" not in {one.check for one in check_splits(faces)[0]}
    faces = faces.take(np.arange(200))  # two splits make two
    (found,) = [one for one in check_splits(faces)[0] if one.check == "light-differs"]
    assert 0.0001 < found.figures["intensity train–val: p"] < 0.0005


def test_a_run_says_what_its_bundle_has_learnt(clean, run):
    bundle = Bundle(run.bundle_path)
    learnt = np.arange(len(clean)) < 50
    reading = read_with_bundle(clean, bundle, learnt)
    assert np.array_equal(reading.read, ~learnt)
    assert "may have learnt" not in reading.reader
    few = clean.take(np.arange(50))
    audit = audit_dataset(few, bundle=bundle, learnt=np.ones(50, bool))
    assert any("has learnt every image" in line for line in audit.not_checked)
    assert "no labels that are doubted" not in audit.fine
