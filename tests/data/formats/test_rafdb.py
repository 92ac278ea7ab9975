from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.data import load_dataset
from mien.data.sizes import read_sizes
from mien.errors import DataError

NAMES = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")


def put(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((100, 100, 3), level, np.uint8))


def make(root, *, listed="list_patition_label.txt", aligned="Image/aligned", numbers=range(1, 8)):
    """RAF-DB's folder: of each class three images to train on and one to test on."""
    lines = []
    for split, per_class in (("train", 3), ("test", 1)):
        for index, number in enumerate(sorted([*numbers] * per_class), start=1):
            lines.append(f"{split}_{index:05}.jpg {number}")
            put(root / aligned / f"{split}_{index:05}_aligned.jpg", 30 * number)
    (root / listed).parent.mkdir(parents=True, exist_ok=True)
    (root / listed).write_text("\n".join(lines) + "\n")
    return root


PLACES = {
    "next to each other": {},
    "aligned unpacked": {"aligned": "aligned"},
    "basic": {"listed": "EmoLabel/list_patition_label.txt"},
    "above basic": {
        "listed": "basic/EmoLabel/list_patition_label.txt", "aligned": "basic/Image/aligned",
    },
    "spelled right": {"listed": "list_partition_label.txt"},
    "one folder": {"aligned": "."},
}  # fmt: skip


@pytest.mark.parametrize("places", PLACES)
def test_its_list_tells_split_and_class(tmp_path, places):
    dataset = load_dataset(make(tmp_path, **PLACES[places]), labels="rafdb", make_val=False)
    assert dataset.layout == "rafdb"
    assert dataset.names == NAMES
    assert dataset.split_counts() == {"train": 21, "test": 7}
    np.testing.assert_array_equal(dataset.images[:, 0, 0], 30 * (dataset.labels + 1))
    assert dataset.train.labels.tolist() == sorted([*range(7)] * 3)
    assert dataset.rows.tolist() == list(range(1, 29))
    assert dataset.ids[0].endswith("train_00001_aligned.jpg")
    assert read_sizes(dataset, tmp_path) == [(100, 100)] * 28


@pytest.mark.parametrize("numbers", [range(1, 8), range(1, 7)], ids=["all", "without 7"])
@pytest.mark.parametrize("skip_bad", [False, True])
@pytest.mark.parametrize("labels", [None, "affectnet8", "fer2013", ["a", "b", "c", "d"]])
def test_numbers_are_never_read_as_another_sets(tmp_path, numbers, skip_bad, labels):
    with pytest.raises(DataError, match="numbers the classes 1 to 7 as RAF-DB does") as error:
        load_dataset(make(tmp_path, numbers=numbers), labels=labels, skip_bad=skip_bad)
    assert "data.labels=rafdb (--labels rafdb)" in str(error.value)
    assert "\n" not in str(error.value)


def test_names_or_numbers_of_ones_own_are_read(tmp_path):
    make(tmp_path)
    table = {"names": NAMES[::-1], "numbering": dict(enumerate(NAMES, start=1))}
    assert load_dataset(tmp_path, labels=table).names == NAMES[::-1]
    three = {
        "names": ["bad", "good", "none"],
        "aliases": {**dict.fromkeys("12356", "bad"), "4": "good", "7": "none"},
    }
    counts = load_dataset(tmp_path, labels=three).class_counts()
    assert counts == {"bad": 20, "good": 4, "none": 4}


@pytest.mark.parametrize(
    ("line", "expected"),
    [("train_00002.jpg", "line 2 is 'train_00002.jpg', expected lines such as"),
     ("picture.jpg 3", "line 2 is 'picture.jpg 3'"),
     ("train_00002.jpg 9", "line 2 has the unknown label '9'|not numbered"),
     ("train_99999.jpg 1", r"line 2: .*train_99999_aligned\.jpg: cannot be read")],
)  # fmt: skip
def test_a_bad_line_is_named_or_skipped(tmp_path, line, expected):
    listed = make(tmp_path) / "list_patition_label.txt"
    lines = listed.read_text().splitlines()
    listed.write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(DataError, match=expected):
        load_dataset(tmp_path, labels="rafdb")
    dataset = load_dataset(tmp_path, labels="rafdb", skip_bad=True)
    assert (len(dataset), len(dataset.skipped)) == (27, 1)
    assert 2 not in dataset.rows


def test_a_list_without_its_images_is_named(tmp_path):
    (tmp_path / "list_patition_label.txt").write_text("train_00001.jpg 5\n")
    with pytest.raises(DataError, match=r"train_00001_aligned\.jpg, which is not there; expected"):
        load_dataset(tmp_path, labels="rafdb")
    (tmp_path / "list_patition_label.txt").write_text("\n")
    with pytest.raises(DataError, match="lists no image"):
        load_dataset(tmp_path, labels="rafdb")


def test_its_other_form_is_class_folders(tmp_path):
    for split in ("train", "test"):
        for number in range(1, 8):
            put(tmp_path / "DATASET" / split / str(number) / f"{split}_0{number}.jpg", 30 * number)
    for name in ("train_labels.csv", "test_labels.csv"):  # as one release has them
        (tmp_path / name).write_text("image,label\ntrain_01_aligned.jpg,5\n")
    dataset = load_dataset(tmp_path, labels="rafdb", make_val=False)
    assert (dataset.layout, dataset.names) == ("folders", NAMES)
    assert dataset.split_counts() == {"train": 7, "test": 7}
    np.testing.assert_array_equal(dataset.images[:, 0, 0], 30 * (dataset.labels + 1))
