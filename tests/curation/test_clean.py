from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.curation.clean import apply_decisions, decide
from mien.curation.manifest import Decision, read_manifest, write_cleaned, write_manifest
from mien.data import FaceDataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.formats.base import FORMATS, writable_layouts
from mien.data.synthetic.faces import synthetic_faces
from mien.errors import DataError, MienError
from mien.images.crop import CropSpec
from mien.labels import BUILT_IN, FER2013, LabelSet

BLANK = np.full((48, 48), 90, np.uint8)


def shift(image: np.ndarray, right: int) -> np.ndarray:
    move = np.array([[1, 0, right], [0, 1, 0]], np.float32)
    return cv2.warpAffine(image, move, (48, 48), borderMode=cv2.BORDER_REPLICATE)


def build(*rows: tuple[np.ndarray, str, str], votes: dict[int, str] | None = None) -> FaceDataset:
    """A data set of images, labels and splits, called a, b, c …; votes: row -> ten for what."""
    counts = np.zeros((len(rows), 10), np.int8)
    for row, vote in (votes or {}).items():
        counts[row, FERPLUS_VOTES.index(vote)] = 10
    return FaceDataset(
        images=np.stack([image for image, _, _ in rows]),
        labels=np.array([FER2013.names.index(label) for _, label, _ in rows]),
        splits=np.array([split for _, _, split in rows]),
        ids=np.array([chr(ord("a") + row) for row in range(len(rows))]),
        votes=counts if votes else None,
    )


def decided(dataset: FaceDataset, **options: str) -> list[str]:
    """What is decided, a line each: ``b merge a``, ``c relabel sad d``, ``e move train a``."""
    return [
        " ".join(filter(None, (one.id, one.action, one.new_split, one.new_label, one.duplicate)))
        for one in decide(dataset, find_duplicates(dataset.images), **options)
    ]


@pytest.fixture
def planted(pictures) -> FaceDataset:
    """Every fault that is looked for, and images that have none."""
    p = pictures
    return build(
        (p[0], "happy", "train"),  # a
        (p[0], "happy", "train"),  # b, a copy
        (p[1], "angry", "train"),  # c
        (p[1], "sad", "train"),  # d, of another label
        (p[2], "fear", "train"),  # e
        (BLANK, "neutral", "train"),  # f
        (p[3], "happy", "train"),  # g, mirrored in val
        (p[4], "happy", "train"),  # h, in test
        (p[5], "neutral", "train"),  # i, a near duplicate in its own split
        (shift(p[5], 1), "neutral", "train"),  # j
        (p[3][:, ::-1], "happy", "val"),  # k
        (p[6], "surprise", "val"),  # l, shifted in test
        (p[7], "disgust", "val"),  # m
        (p[4], "happy", "test"),  # n
        (shift(p[6], 2), "surprise", "test"),  # o
        (p[8], "sad", "test"),  # p
    )


def test_every_fault_is_dropped_or_merged_and_nothing_else(planted):
    assert decided(planted) == [
        "b merge a", "c drop d", "d drop c", "f drop", "g drop k", "h drop n", "l drop o",
    ]  # fmt: skip
    found = decide(planted, find_duplicates(planted.images))
    assert [one.because for one in found] == [
        "identical, same label",
        "identical, labels tie",
        "identical, labels tie",
        "blank",
        "near duplicate of one of val",
        "identical to one of test",
        "near duplicate of one of test",
    ]
    assert found[0] == Decision(
        "b", "merge", "train", "happy", "", "", "identical, same label", "a"
    )
    cleaned = apply_decisions(planted, found)
    assert "".join(cleaned.ids) == "aeijkmnop"


@pytest.mark.parametrize("leaks", ["drop", "move"])
def test_a_cleaned_set_has_no_leak_and_nothing_more_to_do(planted, leaks):
    found = decide(planted, find_duplicates(planted.images), leaks=leaks)
    cleaned = apply_decisions(planted, found)
    duplicates = find_duplicates(cleaned.images)
    assert not duplicates.across(cleaned.splits).any.any()
    assert decide(cleaned, duplicates, leaks=leaks) == []
    assert sorted(cleaned.splits, key=("train", "val", "test").index) == list(cleaned.splits)


def test_leaks_may_move_into_train(planted):
    assert [line for line in decided(planted, leaks="move") if line[0] not in "bcdf"] == [
        "k move train g", "l move train o", "n merge h", "o move train l",
    ]  # fmt: skip
    cleaned = apply_decisions(
        planted, decide(planted, find_duplicates(planted.images), leaks="move")
    )
    assert "".join(cleaned.train.ids) == "aeghijklo"
    assert "".join(cleaned.val.ids) == "m"
    assert "".join(cleaned.test.ids) == "p"


def test_leaks_may_stay(planted):
    assert decided(planted, leaks="keep") == ["b merge a", "c drop d", "d drop c", "f drop"]


def test_all_that_is_linked_moves(pictures):
    face = pictures[0]
    dataset = build(
        (face, "happy", "train"),
        (shift(face, 3), "happy", "test"),
        (shift(face, 6), "fear", "test"),
    )
    assert decided(dataset, leaks="move") == ["b move train a", "c move train a"]
    assert decided(dataset) == ["a drop b"]


def test_train_and_val_both_give_way_to_test(pictures):
    face, turned = pictures[0], pictures[0][:, ::-1]
    dataset = build((face, "happy", "train"), (turned, "happy", "val"), (face, "happy", "test"))
    assert decided(dataset) == ["a drop c", "b drop c"]


def test_the_same_picture_in_several_splits_is_a_leak_and_no_copy(pictures):
    face = pictures[0]
    dataset = build(*[(face, "happy", split) for split in ("train", "train", "val", "val", "test")])
    assert decided(dataset) == ["a drop e", "b merge a", "c drop e", "d merge c"]
    assert decided(dataset, leaks="move") == [
        "b merge a", "c merge a", "d merge c", "e merge a",
    ]  # fmt: skip


def test_most_labels_decide(pictures):
    face = pictures[0]
    dataset = build(*[(face, label, "train") for label in ("sad", "angry", "angry")])
    assert decided(dataset) == ["a relabel angry b", "b merge a", "c merge a"]
    cleaned = apply_decisions(dataset, decide(dataset, find_duplicates(dataset.images)))
    assert (cleaned.ids.tolist(), cleaned.labels.tolist()) == (
        ["a"],
        [FER2013.names.index("angry")],
    )


def test_votes_come_before_most_labels(pictures):
    face = pictures[0]
    rows = [(face, label, "train") for label in ("sad", "angry", "angry")]
    votes = {0: "sadness", 1: "sadness", 2: "anger"}
    assert decided(build(*rows, votes=votes)) == ["b merge a", "c merge a"]
    first, second = decide(build(*rows, votes=votes), find_duplicates(np.stack([face] * 3)))
    assert (first.because, second.because) == ("identical, other label",) * 2


@pytest.mark.parametrize(
    "votes", [{0: "happiness"}, {0: "contempt", 1: "contempt"}, {0: "sadness", 1: "anger"}]
)
def test_votes_that_name_none_of_the_labels_or_are_tied_decide_nothing(pictures, votes):
    rows = [(pictures[0], label, "train") for label in ("sad", "angry")]
    assert decided(build(*rows, votes=votes)) == ["a drop b", "b drop a"]


def test_many_votes_do_not_overflow(pictures):
    rows = [(pictures[0], label, "train") for label in ["sad"] + ["angry"] * 30]
    assert decided(build(*rows, votes=dict.fromkeys(range(31), "sadness")))[0] == "b merge a"


def test_labels_are_settled_across_splits_too(pictures):
    dataset = build((pictures[0], "sad", "train"), (pictures[0], "fear", "test"), votes={1: "fear"})
    assert decided(dataset, leaks="keep") == ["a relabel fear b"]
    dataset = build((pictures[0], "fear", "train"), (pictures[0], "sad", "test"), votes={1: "fear"})
    assert decided(dataset) == ["a drop b", "b relabel fear a"]


def test_an_image_may_get_a_new_label_and_a_new_split(pictures):
    face = pictures[0]
    dataset = build(
        (face[:, ::-1], "sad", "train"), (face, "sad", "test"), (face, "fear", "test"),
        votes={1: "fear"},
    )  # fmt: skip
    found = decide(dataset, find_duplicates(dataset.images), leaks="move")
    assert [(one.id, one.action) for one in found] == [
        ("b", "relabel"), ("b", "move"), ("c", "merge"),
    ]  # fmt: skip
    cleaned = apply_decisions(dataset, found)
    assert cleaned.splits.tolist() == ["train", "train"]
    assert cleaned.labels.tolist() == [FER2013.names.index("sad"), FER2013.names.index("fear")]


def test_votes_follow_their_images(pictures):
    dataset = build(
        (pictures[0], "sad", "train"),
        (pictures[0], "sad", "train"),
        (pictures[1], "fear", "train"),
        votes={2: "fear"},
    )
    cleaned = apply_decisions(dataset, decide(dataset, find_duplicates(dataset.images)))
    assert cleaned.ids.tolist() == ["a", "c"]
    assert cleaned.votes is not None
    assert cleaned.votes[1, FERPLUS_VOTES.index("fear")] == 10


def test_the_source_is_left_alone(planted):
    before = planted.fingerprint
    apply_decisions(planted, decide(planted, find_duplicates(planted.images), leaks="move"))
    assert replace(planted).fingerprint == before


def test_a_clean_set_stays_as_it_is(pictures):
    faces = replace(synthetic_faces(40, seed=6), images=pictures)
    assert decided(faces) == []
    assert apply_decisions(faces, []).fingerprint == faces.fingerprint


def test_nothing_left_is_said():
    blank = build((BLANK, "sad", "train"), (BLANK, "sad", "test"))
    with pytest.raises(DataError, match="all images would be dropped"):
        apply_decisions(blank, decide(blank, find_duplicates(blank.images)))


def test_ids_that_are_not_unique_are_refused(planted):
    twice = replace(planted, ids=np.array(["same"] * len(planted)))
    with pytest.raises(DataError, match="two images are called 'same'"):
        decide(twice, find_duplicates(twice.images))
    with pytest.raises(DataError, match="two images are called 'same'"):
        apply_decisions(twice, [])


@pytest.mark.parametrize("leaks", ["drop", "move", "keep"])
def test_a_manifest_comes_back_as_it_went(planted, tmp_path, leaks):
    path = tmp_path / "manifest.csv"
    odd = planted.ids.astype("<U20")
    odd[1], odd[5] = 'train/happy/"b", \n.png', "bad \udcff byte"
    planted = replace(planted, ids=odd)
    found = decide(planted, find_duplicates(planted.images), leaks=leaks)
    write_manifest(found, path)
    assert read_manifest(path, planted) == found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("b,merge", "b,merg", r"line 2 has the action 'merg' \(did you mean 'merge'\?\), expected"),
        ("b,merge", "z,merge", "line 2 is about 'z', which faces does not have"),
        ("b,merge,train", "b,merge,val", "line 2 says that 'b' is happy in val, but it is happy"),
        ("merge,train,happy", "merge,train,sad", "line 2 says that 'b' is sad in train, but"),
        ("train,happy,,,", "train,happy,val,,", "line 2 has the new_split 'val', expected none"),
        ("train,happy,,,", "train,happy,,sad,", "line 2 has the new_label 'sad', expected none"),
        ("b,merge", "b,move", "line 2 has the new_split '', expected train, val, test"),
        ("b,merge", "b,relabel", "line 2 has the new_label '', expected angry"),
        ("\nb,merge", "\nb", "line 2 has 7 fields, expected 8"),
        ("\nc,", "\nb,merge,train,happy,,,again,\nc,", "line 3 repeats line 2"),
        ("identical", '"identical', "line 2 cannot be read as CSV"),
        ("id,action", "id;action", "is this a manifest of mien data clean"),
        ("id,action", "\x89PNG\x00", "is this a manifest of mien data clean"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(planted, tmp_path, old, new, expected):
    path = tmp_path / "manifest.csv"
    write_manifest(decide(planted, find_duplicates(planted.images)), path)
    text = path.read_text()
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=expected) as caught:
        read_manifest(path, planted)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_manifest_saved_by_a_spreadsheet_is_read(planted, tmp_path):
    path = tmp_path / "manifest.csv"
    found = decide(planted, find_duplicates(planted.images))
    write_manifest(found, path)
    path.write_bytes(
        b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n,,,,,,,\r\n"
    )
    assert read_manifest(path, planted) == found


@pytest.mark.parametrize("layout", writable_layouts())
def test_a_set_and_its_manifest_are_written_both_or_neither(planted, tmp_path, layout, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FORMATS[layout], "write", fail)
    with pytest.raises(MienError, match="No space left"):
        write_cleaned(planted, [], tmp_path / "new", layout)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setattr("mien.curation.manifest.write_manifest", fail)
    with pytest.raises(MienError, match="No space left"):
        write_cleaned(planted, [], tmp_path / "new", layout)
    assert list(tmp_path.iterdir()) == []


def in_colour(dataset: FaceDataset, labels: LabelSet) -> FaceDataset:
    """The same images in colour, with other names for their classes."""
    images = np.repeat(dataset.images[..., None], 3, axis=3) // np.array([1, 2, 3], np.uint8)
    return replace(dataset, images=images, label_set=labels, crop=CropSpec(48, 3), votes=None)


def test_other_classes_are_cleaned_and_their_manifest_comes_back(planted, tmp_path):
    labels = LabelSet(tuple(f"kind {number}" for number in range(7)))
    dataset = in_colour(planted, labels)
    found = decide(dataset, find_duplicates(dataset.images))
    plain = replace(planted, votes=None)
    expected = decide(plain, find_duplicates(planted.images))
    assert [(one.id, one.action) for one in found] == [(one.id, one.action) for one in expected]
    assert {one.label for one in found} <= set(labels.names)
    manifest = write_cleaned(apply_decisions(dataset, found), found, tmp_path / "new", "folders")
    assert read_manifest(manifest, dataset) == found
    with pytest.raises(DataError, match=r"line 2 has the label 'kind 3', which is none of faces's"):
        read_manifest(manifest, planted)
    relabel = replace(found[0], action="relabel", new_label="kind 9")
    write_manifest([relabel], manifest)
    with pytest.raises(DataError, match=r"has the new_label 'kind 9'.* expected kind 0, kind 1"):
        read_manifest(manifest, dataset)


def test_colour_is_refused_by_a_layout_that_keeps_none(planted, tmp_path):
    with pytest.raises(MienError, match="the layout csv stores gray pixels"):
        write_cleaned(in_colour(planted, FER2013), [], tmp_path / "new.csv", "csv")
    assert list(tmp_path.iterdir()) == []


def test_votes_decide_for_every_label_set_that_names_them(pictures):
    image = pictures[0]
    rows = [(image, "happy", "train"), (image, "sad", "train"), (pictures[1], "fear", "train")]
    dataset = build(*rows, votes={0: "happiness", 1: "happiness"})
    labels = BUILT_IN["affectnet7"]
    names = [labels.names.index(label) for _, label, _ in rows]
    other = replace(dataset, labels=np.array(names), label_set=labels)
    assert "b relabel happy a" not in decided(other)  # merged in the end
    assert decided(other) == decided(dataset)
    own = replace(dataset, label_set=LabelSet(tuple("abcdefg")))
    assert len(decided(own)) == 2  # no vote names a class, so labels tie
