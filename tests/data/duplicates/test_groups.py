from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.conftest import distinct_faces

from mien.data.duplicates import index, search
from mien.data.duplicates.groups import (
    Duplicates,
    find_duplicates,
    find_overlap,
    group_exact,
    repeated,
)
from mien.data.duplicates.search import find_near_duplicates
from mien.data.synthetic.faces import synthetic_faces


def move(image: np.ndarray, *, down: float = 0, right: float = 0, scale: float = 1) -> np.ndarray:
    turn = cv2.getRotationMatrix2D((23.5, 23.5), 0, scale)
    turn[:, 2] += (right, down)
    return cv2.warpAffine(image, turn, (48, 48), borderMode=cv2.BORDER_REPLICATE)


def brighten(image: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(image * factor, 0, 255).astype(np.uint8)


def store_as_jpeg(image: np.ndarray) -> np.ndarray:
    stored = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE)


CHANGES = {
    "identical": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "shifted 3 px": lambda image: move(image, down=3, right=-3),
    "shifted 3 px along one axis": lambda image: move(image, right=3),
    "rescaled by 8%": lambda image: move(image, scale=1.08),
    "rescaled by -8%": lambda image: move(image, scale=0.92),
    "darker by 25%": lambda image: brighten(image, 0.75),
    "brighter by 25%": lambda image: brighten(image, 1.25),
    "JPEG of quality 40": store_as_jpeg,
    "mirrored, shifted, darker": lambda image: brighten(move(image[:, ::-1], down=2), 0.8),
}
EACH = 12


@pytest.fixture(scope="module")
def originals() -> np.ndarray:
    return distinct_faces(600, seed=4).images


@pytest.fixture(scope="module")
def planted(originals) -> dict[str, np.ndarray]:
    """Changed copies of the first faces, another dozen faces for each change."""
    return {
        name: np.stack([change(image) for image in originals[start : start + EACH]])
        for start, (name, change) in zip(range(0, 600, EACH), CHANGES.items(), strict=False)
    }


def test_planted_duplicates_are_found_and_nothing_else(originals, planted):
    copies = np.concatenate(list(planted.values()))
    pairs = find_near_duplicates(copies, originals)
    wanted = {(row, row) for row in range(len(copies))}
    found = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert len(found & wanted) / len(wanted) >= 0.99  # recall
    assert len(found & wanted) / len(found) >= 0.99  # precision


@pytest.mark.parametrize("change", CHANGES)
def test_every_kind_of_change_is_found(originals, planted, change):
    start = list(CHANGES).index(change) * EACH
    pairs = find_near_duplicates(planted[change], originals)
    right = pairs.second == pairs.first + start
    assert right.sum() >= EACH - 1
    assert (pairs.mirrored[right] == ("mirrored" in change)).mean() > 0.9


def test_a_shift_and_a_scale_are_measured(originals):
    pairs = find_near_duplicates(move(originals[0], down=3, right=-2)[None], originals[:1])
    assert pairs.shifts.tolist() == [[-3, 2]]  # of the original, against the moved one
    assert pairs.scale.tolist() == [1.0]
    pairs = find_near_duplicates(originals[:1], move(originals[0], scale=1.1)[None])
    assert pairs.scale.tolist() == pytest.approx([1.1])


def test_each_pair_is_found_once_its_first_before_its_second(originals, planted):
    images = np.concatenate([originals[:EACH], planted["identical"], originals[EACH : 2 * EACH]])
    pairs = find_near_duplicates(images)
    assert (pairs.first < pairs.second).all()
    found = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert sorted(found) == [(row, row + EACH) for row in range(EACH)]


def test_blocks_meet_at_their_edges(originals, planted, monkeypatch):
    images = np.concatenate([originals[:100], originals[:100]])
    whole = find_near_duplicates(images)
    monkeypatch.setattr(search, "_BLOCK", 7)
    monkeypatch.setattr(index, "_PRODUCTS", 13)
    reported = []
    in_blocks = find_near_duplicates(images, progress=reported.append)
    assert sorted(zip(in_blocks.first, in_blocks.second, strict=True)) == sorted(
        zip(whole.first, whole.second, strict=True)
    )
    assert reported == sorted(reported)
    assert reported[-1] == 1.0


def test_an_index_of_many_lists_finds_what_one_list_finds(originals, planted, monkeypatch):
    images = np.concatenate([originals, *planted.values()])
    whole = find_near_duplicates(images)
    monkeypatch.setattr(index, "_ONE_LIST", 0)
    found = find_near_duplicates(images)
    pairs = [set(zip(one.first, one.second, strict=True)) for one in (whole, found)]
    assert len(pairs[0] & pairs[1]) >= 0.98 * len(pairs[0]) > 100


def test_many_pairs_are_kept_in_a_file(originals, monkeypatch):
    images = np.concatenate([originals[:100], originals[:100, :, ::-1]])
    in_memory = find_near_duplicates(images)
    monkeypatch.setattr("mien.io.mapped.IN_MEMORY_BYTES", 0)
    in_file = find_near_duplicates(images)
    assert isinstance(in_file.first, np.memmap)
    assert len(in_file) >= 100
    for name, values in vars(in_memory).items():
        assert np.array_equal(getattr(in_file, name), values)


def test_the_most_similar_candidates_are_kept_when_there_are_many(originals, monkeypatch):
    noise = np.random.default_rng(0).integers(-3, 4, (40, 48, 48))
    alike = np.clip(originals[0].astype(int) + noise, 0, 255).astype(np.uint8)
    monkeypatch.setattr(search, "_MAX_CANDIDATES", 5)
    whole = find_near_duplicates(alike)
    monkeypatch.setattr(search, "_MOST_SIMILAR", 10)  # the candidates are thinned out on the way
    monkeypatch.setattr(index, "_PRODUCTS", 40)
    thinned = find_near_duplicates(alike)
    pairs = [set(zip(one.first, one.second, strict=True)) for one in (whole, thinned)]
    assert len(pairs[0]) == len(pairs[1]) > 100
    assert len(pairs[0] & pairs[1]) >= 0.95 * len(pairs[0])  # products round differently


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_few_images_are_no_trouble(originals, count):
    duplicates = find_duplicates(originals[:count])
    assert len(duplicates.near) == 0
    assert duplicates.groups.tolist() == list(range(count))
    none = np.zeros(count, bool)
    assert not duplicates.among(none).any.any()


def test_images_that_show_nothing_are_only_ever_identical():
    blank = np.full((40, 48, 48), 7, np.uint8)
    blank[20:] = np.random.default_rng(0).integers(7, 9, (20, 48, 48))
    duplicates = find_duplicates(blank)
    assert len(duplicates.near) == 0
    assert len(np.unique(duplicates.groups)) == 21


def test_all_images_identical_are_one_group(originals):
    duplicates = find_duplicates(np.repeat(originals[:1], 3000, axis=0))
    assert set(duplicates.groups.tolist()) == {0}


def test_thousands_of_alike_images_cost_no_square(originals, monkeypatch):
    monkeypatch.setattr(search, "_MAX_CANDIDATES", 5)
    noise = np.random.default_rng(0).integers(-3, 4, (60, 48, 48))
    alike = np.clip(originals[0].astype(int) + noise, 0, 255).astype(np.uint8)
    duplicates = find_duplicates(alike)
    assert len(duplicates.near) <= 5 * 60
    assert set(duplicates.groups.tolist()) == {0}


def test_groups_link_what_is_linked(originals):
    face = originals[5]
    images = np.stack([face, originals[6], face, face[:, ::-1], move(face[:, ::-1], down=2)])
    duplicates = find_duplicates(images)
    assert duplicates.exact.tolist() == [0, 1, 0, 2, 3]
    groups = duplicates.groups
    assert groups[0] == groups[2] == groups[3] == groups[4] != groups[1]


def test_among_tells_identical_from_near_and_none_from_itself(originals):
    a, b, c, d = originals[10:14]
    images = np.stack([a, b, c, a, b[:, ::-1], d])
    duplicates = find_duplicates(images)
    others = np.array([True, True, True, False, False, False])
    overlap = duplicates.among(others)
    assert overlap.exact.tolist() == [False, False, False, True, False, False]
    assert overlap.near.tolist() == [False, False, False, False, True, False]
    assert overlap.any.tolist() == [False, False, False, True, True, False]


def test_nearest_prefers_identical_then_the_most_alike_then_the_first(originals):
    a, b = originals[14:16]
    images = np.stack([a, move(a, right=2), a[:, ::-1], a, a, b, store_as_jpeg(a)])
    duplicates = find_duplicates(images)
    rows = np.arange(7)
    assert duplicates.nearest(np.isin(rows, [3, 4, 1])).tolist()[0] == 3
    nearest = duplicates.nearest(rows == 6).tolist()
    assert nearest == [6, 6, 6, 6, 6, -1, 6]  # itself, if it is there
    correlations = {
        int(pair.sum() - duplicates.exact[0]): correlation  # the other one of the two
        for pair, correlation in zip(
            np.stack([duplicates.near.first, duplicates.near.second], 1),
            duplicates.near.correlation,
            strict=True,
        )
        if duplicates.exact[0] in pair
    }
    best = max(correlations, key=lambda picture: correlations[picture])
    nearest = duplicates.nearest(np.isin(rows, [1, 2, 6]))
    assert duplicates.exact[nearest[0]] == best
    assert (duplicates.nearest(np.zeros(7, bool)) == -1).all()


def test_across_ignores_an_images_own_split(originals):
    a, b, c, d = originals[20:24]
    images = np.stack([a, a, b, c, b[:, ::-1], c, d])
    splits = np.array(["train"] * 4 + ["val", "test", "test"])
    across = find_duplicates(images).across(splits)
    assert across.exact.tolist() == [False, False, False, True, False, True, False]
    assert across.near.tolist() == [False, False, True, False, True, False, False]


def test_overlap_of_two_sets_is_what_among_says_of_their_union(originals, planted):
    train, test = originals[:300], np.concatenate([*planted.values(), originals[400:420]])
    both = find_duplicates(np.concatenate([train, test]))
    among = both.among(np.arange(len(train) + len(test)) < len(train))
    overlap = find_overlap(test, train)
    assert np.array_equal(overlap.exact, among.exact[len(train) :])
    assert np.mean(overlap.near == among.near[len(train) :]) > 0.98
    assert overlap.exact.sum() == EACH


def test_what_was_found_is_kept_and_what_was_kept_is_what_was_found(originals, monkeypatch):
    images = np.concatenate([originals[:50], originals[:50, :, ::-1]])
    found, overlap = find_duplicates(images), find_overlap(images[:50], images[50:])
    monkeypatch.setattr(
        "mien.data.duplicates.groups.find_near_duplicates", None
    )  # may not be called again
    again, overlap_again = find_duplicates(images), find_overlap(images[:50], images[50:])
    assert isinstance(again, Duplicates)
    for name, value in vars(found.near).items():
        assert np.array_equal(getattr(again.near, name), value)
    assert np.array_equal(overlap_again.near, overlap.near)


def test_another_order_finds_the_same_in_the_cache(originals, monkeypatch):
    images = np.concatenate([originals[:50], originals[:50, :, ::-1]])
    groups = find_duplicates(images).groups
    monkeypatch.setattr(
        "mien.data.duplicates.groups.find_near_duplicates", None
    )  # may not be called again
    order = np.random.default_rng(0).permutation(100)
    shuffled = find_duplicates(images[order]).groups
    together = groups[order][:, None] == groups[order]
    assert np.array_equal(shuffled[:, None] == shuffled, together)


def test_a_damaged_cache_is_no_trouble(originals, tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    images = np.concatenate([originals[:20], originals[:20, :, ::-1]])
    found = find_duplicates(images)
    (kept,) = tmp_path.rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    assert len(find_duplicates(images).near) == len(found.near)


def test_identical_images_have_one_number_in_the_order_of_appearance():
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
    assert group_exact(images[[2, 0, 2, 1, 0]]).tolist() == [0, 1, 0, 2, 1]


def test_duplicates_of_a_data_set_follow_its_images():
    faces = synthetic_faces(60, seed=2)
    doubled = replace(faces, images=faces.images[::-1].copy())
    assert np.array_equal(find_duplicates(doubled.images).exact, np.arange(60))


def test_repeated_numbers_are_grouped_in_the_order_of_first_appearance():
    numbers = np.array([9, 4, 1, 4, 9, 7, 4])
    assert [rows.tolist() for rows in repeated(numbers)] == [[0, 4], [1, 3, 6]]
    among = np.array([False, True, True, True, True, True, False])
    assert [rows.tolist() for rows in repeated(numbers, among)] == [[1, 3]]
    assert repeated(numbers[:0]) == []


def colour_faces(pictures, side):
    """Faces in colour and at another size, of which no two are duplicates."""
    tints = np.random.default_rng(0).uniform(0.4, 1.0, (len(pictures), 3))
    return np.stack(
        [
            (cv2.resize(one, (side, side), interpolation=cv2.INTER_CUBIC)[..., None] * tint)
            for one, tint in zip(pictures, tints, strict=True)
        ]
    ).astype(np.uint8)


def test_crops_in_colour_and_of_another_size_are_searched_too(pictures):
    images = colour_faces(pictures, 112)
    mirrored = images[4:7, :, ::-1]
    other_tint = images[7:8, ..., ::-1]  # the same picture in other colours
    found = find_duplicates(np.concatenate([images, images[:3], mirrored, other_tint]))
    assert found.exact[40:43].tolist() == [0, 1, 2]
    assert len(np.unique(found.exact)) == 44
    near = {tuple(sorted(pair)) for pair in zip(found.near.first, found.near.second, strict=True)}
    assert near == {(4, 40), (5, 41), (6, 42), (7, 43)}
    overlap = find_overlap(images[:8], np.concatenate([images[:3], mirrored]))
    assert overlap.exact.tolist() == [True] * 3 + [False] * 5
    assert overlap.near.tolist() == [False] * 4 + [True] * 3 + [False]


def test_what_is_kept_of_other_crops_is_not_taken_for_another_set(pictures):
    """The bytes of four small images are those of a large one."""
    small = pictures[:8]
    find_overlap(small, small[:4])
    large = small.reshape(2, 96, 96)
    assert find_overlap(large, large[:1]).exact.tolist() == [True, False]


def test_a_mapped_file_gives_what_an_array_gives(pictures, tmp_path, monkeypatch):
    images = colour_faces(pictures, 64)
    np.save(tmp_path / "images.npy", images)
    expected = find_duplicates(images)
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    found = find_duplicates(np.load(tmp_path / "images.npy", mmap_mode="r"))
    assert np.array_equal(found.exact, expected.exact)
    assert np.array_equal(found.groups, expected.groups)
