from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.bundle.bundle import Bundle, find_bundle
from mien.curation import audit_dataset, label_reader
from mien.curation.checks.doubtful_labels import find_doubts
from mien.curation.label_reader import LabelReading, doubt, read_crosswise, read_with_bundle
from mien.data import load_dataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.synthetic.faces import synthetic_faces
from mien.errors import DataError
from mien.images.crop import CropSpec
from mien.labels import LabelSet


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
    (found,) = find_doubts(wrong, reading)
    ids = [item.images[0].id for item in found.items]
    doubted = np.isin(faces.ids[swapped], ids)
    assert doubted.mean() > 2 * found.count / len(faces)  # twice as often as by chance, at least
    first = ids[: len(ids) // 4]
    assert np.isin(first, faces.ids[swapped]).mean() > 2 * len(swapped) / len(faces)


def test_a_crosswise_reader_of_many_images_is_fitted_on_some(monkeypatch):
    faces = synthetic_faces(300, seed=3)
    monkeypatch.setattr(label_reader, "_MOST_FITTED", 120)
    monkeypatch.setattr(label_reader, "_BLOCK", 7)
    reading = read_crosswise(faces, np.arange(len(faces)))
    assert reading.read.all()
    assert np.allclose(reading.probabilities.sum(1), 1)
    assert (reading.probabilities.argmax(1) == faces.labels).mean() > 2 / 7  # twice chance


def test_duplicates_are_read_by_a_classifier_that_was_not_fitted_on_them(clean):
    images = np.concatenate([clean.images[:150], clean.images[:150]])
    labels = np.random.default_rng(0).integers(0, 7, 150)
    doubled = replace(
        clean.take(np.arange(300)), images=images, labels=np.concatenate([labels, labels])
    )
    reading = read_crosswise(doubled, find_duplicates(images).groups)
    right = (reading.probabilities.argmax(1) == doubled.labels).mean()
    assert right < 0.35  # labels by chance: who reads more than one in seven knew the duplicate


def test_a_bundle_reads_all_but_the_images_that_it_was_trained_on(run, layouts):
    dataset = load_dataset(layouts["csv"])
    bundle = Bundle(run.bundle_path)
    reading = read_with_bundle(dataset, bundle)
    assert np.array_equal(reading.read, dataset.splits != "train")
    other = replace(dataset, images=dataset.images[::-1].copy())
    reading = read_with_bundle(other, bundle)
    assert reading.read.all()
    assert "may have been trained on" in reading.reader
    audit = audit_dataset(dataset.take(np.arange(60)), bundle=Bundle(find_bundle("mien-xs")))
    assert audit.images == 60


def test_a_run_says_what_its_bundle_was_trained_on(clean, run):
    bundle = Bundle(run.bundle_path)
    trained_on = np.arange(len(clean)) < 50
    reading = read_with_bundle(clean, bundle, trained_on)
    assert np.array_equal(reading.read, ~trained_on)
    assert "may have been trained on" not in reading.reader
    few = clean.take(np.arange(50))
    audit = audit_dataset(few, bundle=bundle, trained_on=np.ones(50, bool))
    assert any("was trained on every image" in line for line in audit.not_checked)
    assert "no label is doubted by the classifier" not in audit.fine


def test_other_classes_in_colour_are_read_too():
    labels = LabelSet(("quiet", "loud", "odd"))
    drawn = synthetic_faces(240, seed=5, label_set=labels, crop=CropSpec(80, 3))
    reading = read_crosswise(drawn, np.arange(len(drawn)))
    assert reading.probabilities.shape == (240, 3)
    assert (reading.probabilities.argmax(1) == drawn.labels).mean() > 0.85
    wrong = drawn.labels.copy()
    wrong[::12] = (wrong[::12] + 1) % 3
    swapped = replace(drawn, labels=wrong)
    (found,) = find_doubts(swapped, read_crosswise(swapped, np.arange(len(drawn))))
    doubted = {one.images[0].id for one in found.items}
    assert len(doubted & set(drawn.ids[::12].tolist())) >= 10  # of 20
    assert found.items[0].note.split(" ")[2] in labels.names


def test_a_hundred_images_are_enough_to_tell_clear_classes_apart():
    """As many components as images would fit noise, and doubt most labels."""
    drawn = synthetic_faces(100, seed=5, label_set=LabelSet(("quiet", "loud")))
    reading = read_crosswise(drawn, np.arange(len(drawn)))
    assert (reading.probabilities.argmax(1) == drawn.labels).mean() > 0.9


def test_a_bundle_of_other_classes_or_crops_is_refused(clean):
    bundle = Bundle("mien-xs")
    other = replace(clean, label_set=LabelSet(tuple("abcdefg")))
    with pytest.raises(DataError, match=r"labels are a, b, c, d, e, f, g, but mien-xs tells"):
        audit_dataset(other, bundle=bundle)
    colour = synthetic_faces(8, crop=CropSpec(64, 3))
    with pytest.raises(
        DataError,
        match=r"crops are 64×64 colour.* size_px=48 and channels=1 \(--size, --channels\)",
    ):
        read_with_bundle(colour, bundle)


def test_of_thousands_of_doubts_the_surest_are_listed_in_order():
    drawn = synthetic_faces(1000)
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.full(7, 0.05), len(drawn)).astype(np.float32)
    reading = LabelReading(probabilities, np.ones(len(drawn), bool), "a guess")
    (found,) = find_doubts(drawn, reading)
    assert found.figures["doubted"] > len(found.items) == found.count == 300
    assert "the 300 surest of which are listed" in found.title
    (surest,) = found.items[0].images
    row = int(np.nonzero(drawn.ids == surest.id)[0][0])
    assert probabilities[row, drawn.labels[row]] < 0.01
