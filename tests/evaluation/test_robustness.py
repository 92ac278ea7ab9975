from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.bundle.bundle import Bundle
from mien.evaluation.robustness import (
    CORRUPTIONS,
    FACES,
    STRENGTHS,
    Robustness,
    draw_faces,
    measure_robustness,
    read_changed,
)


@pytest.fixture(scope="module")
def found(run, faces):
    return measure_robustness(Bundle(run.bundle_path), faces.images, faces.labels)


def test_every_change_has_five_strengths_and_the_mean_is_theirs(found, faces):
    assert found.images == min(len(faces), FACES)
    assert found.accuracy.keys() == CORRUPTIONS.keys() == found.amounts.keys()
    assert {len(row) for row in found.accuracy.values()} == {STRENGTHS}
    assert found.mean == pytest.approx(np.mean(list(found.accuracy.values())))
    assert all(0 <= value <= 1 for row in found.accuracy.values() for value in row)


def test_it_repeats_and_the_seed_decides(run, faces, found):
    bundle = Bundle(run.bundle_path)
    assert measure_robustness(bundle, faces.images, faces.labels) == found
    assert measure_robustness(bundle, faces.images, faces.labels, seed=1) != found


def test_each_face_is_known_of_those_that_were_drawn(run, faces):
    bundle = Bundle(run.bundle_path)
    found = measure_robustness(bundle, faces.images, faces.labels, faces=30, seed=2)
    rows = draw_faces(len(faces), 30, seed=2)
    assert found.images == len(set(rows.tolist())) == 30
    right = read_changed(bundle, faces.images[rows], faces.labels[rows], seed=2)
    for name, each in right.items():
        assert each.shape == (STRENGTHS, 30)
        assert tuple(each.mean(1).tolist()) == pytest.approx(found.accuracy[name])
    shares = np.concatenate(list(right.values())).mean(0)
    assert shares.mean() == pytest.approx(found.mean)


def test_more_faces_than_there_are_is_all_of_them(run, faces):
    assert draw_faces(7, FACES, seed=0).tolist() == list(range(7))


def test_what_older_versions_stored_can_be_read(found):
    names = ("images", "clean", "accuracy", "amounts", "mean", "seed")
    stored = found.model_dump(include=set(names))
    assert set(found.model_dump()) == set(names)
    assert Robustness.model_validate(stored) == found


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_changes_grow_with_their_strength_and_leave_the_faces_alone(faces, name):
    change, amounts = CORRUPTIONS[name].change, CORRUPTIONS[name].amounts
    images = faces.images[:20]
    before = images.copy()
    made = [change(images, amount, np.random.default_rng(0)) for amount in amounts]
    assert np.array_equal(images, before)
    assert {(one.shape, one.dtype) for one in made} == {(images.shape, images.dtype)}
    far = [np.abs(one.astype(int) - images).mean() for one in made]
    assert min(far) > 0
    if not name.startswith("brightness"):  # darker ones come first, then brighter
        assert far == sorted(far)


def test_covers_cover_what_they_say():
    white = np.full((1, 48, 48), 255, np.uint8)
    for name, rows in (("eyes", (12, 26)), ("mouth", (30, 46))):
        cover = next(CORRUPTIONS[key] for key in CORRUPTIONS if key.startswith(name))
        covered = cover.change(white, cover.amounts[-1], np.random.default_rng(0))[0]
        gray = np.nonzero((covered == 128).all(1))[0]
        assert (gray.min(), gray.max() + 1) == rows


def test_a_mouth_only_reader_is_lost_when_the_mouth_is_covered():
    """A Bundle in all but name that reads happy by a bright mouth, and nothing else."""

    class MouthReader:
        def predict(self, images):
            logits = np.zeros((len(images), 7), np.float32)
            logits[:, 3] = images[:, 34:42, 16:32].mean((1, 2)) - 128.5
            return logits, logits

    images = np.full((40, 48, 48), 60, np.uint8)
    images[:20, 34:42, 16:32] = 250
    labels = np.array([3] * 20 + [0] * 20)
    found = measure_robustness(MouthReader(), images, labels)
    assert found.clean == 1
    by_name = {name.split(" (")[0]: row for name, row in found.accuracy.items()}
    assert by_name["eyes covered"] == (1,) * STRENGTHS
    assert by_name["mouth covered"][-1] == 0.5
    assert by_name["shift"][0] == 1


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if "px)" in name])
def test_corruptions_in_pixels_look_the_same_at_every_size(faces, name):
    corruption, small = CORRUPTIONS[name], faces.images[:12]
    large = np.stack([cv2.resize(one, (144, 144)) for one in small])
    assert corruption.amounts_at(48) == corruption.amounts
    times = 1 if name.startswith("low resolution") else 3
    assert corruption.amounts_at(144) == pytest.approx([times * one for one in corruption.amounts])
    for step, (amount, scaled) in enumerate(
        zip(corruption.amounts, corruption.amounts_at(144), strict=True)
    ):
        expected = corruption.change(small, amount, np.random.default_rng(step))
        made = corruption.change(large, scaled, np.random.default_rng(step))
        reduced = np.stack(
            [cv2.resize(one, (48, 48), interpolation=cv2.INTER_AREA) for one in made]
        )
        far = np.abs(expected.astype(int) - small).mean()
        assert np.abs(reduced.astype(int) - expected).mean() < max(3, far / 3)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_colours_are_corrupted_like_gray(faces, name):
    """Crops whose channels are equal stay so, but for noise, which every channel has its own of."""
    corruption, gray = CORRUPTIONS[name], faces.images[:8]
    repeated = np.repeat(gray[..., None], 3, axis=3)
    amount = corruption.amounts[2]
    expected = corruption.change(gray, amount, np.random.default_rng(0))
    made = corruption.change(repeated, amount, np.random.default_rng(0))
    assert made.shape == repeated.shape
    if name.startswith("noise"):
        assert (made != made[..., :1]).any()
        return
    assert np.abs(made.astype(int) - expected[..., None]).max() <= (2 if "JPEG" in name else 0)


def test_a_red_face_stays_red_as_a_jpeg():
    red = np.zeros((2, 64, 64, 3), np.uint8)
    red[..., 0] = 200
    stored = CORRUPTIONS["JPEG (quality)"].change(red, 60, np.random.default_rng(0))
    assert (stored.argmax(3) == 0).all()
