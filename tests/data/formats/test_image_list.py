from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.data import load_dataset
from mien.data.formats.base import FORMATS
from mien.data.sizes import read_sizes
from mien.errors import DataError


def put(path, level=0, size=(60, 50)):
    """Write an image whose gray level tells which one it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(size, level, np.uint8))


def put_list(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def images(tmp_path):
    for number, name in enumerate(("a.png", "b.png", "c d.png"), start=1):
        put(tmp_path / "images" / name, 10 * number)
    return tmp_path


LISTS = {
    "a comma": "path,label\nimages/a.png,happy\nimages/b.png,sad\nimages/c d.png,happy\n",
    "another order": (
        "Label,other,PATH\nhappy,1,images/a.png\nSad,2,images/b.png\njoy,3,images/c d.png"
    ),
    "a tab": "image\temotion\na.png\thappy\nb.png\tsad\nc d.png\thappy\n",
    "a semicolon": "file;class\na.png;happy\nb.png;sad\nc d.png;happy\n",
    "quotes": '"filename","expression"\n"a.png","3"\n"b.png","4"\n"c d.png","3"\n',
    "AffectNet's header": (
        "subDirectory_filePath,face_x,expression,valence\na.png,1,happy,0.5\nb.png,2,sad,0.1\n"
        "c d.png,3,happy,0\n"
    ),
    "an index": ",pth,label\n0,a.png,happy\n1,b.png,sad\n2,c d.png,happy\n",
    "Windows": (
        "img,label\r\nimages\\a.png,happy\r\n\r\nimages\\b.png,sad\r\nimages\\c d.png,joy\r\n"
    ),
    "a byte order mark": "\ufeffpath,label\na.png,happy\nb.png,sad\nc d.png,happy\n",
}  # fmt: skip


@pytest.mark.parametrize("name", ["list.csv", "list.txt", "LIST.CSV", "."])
@pytest.mark.parametrize("content", LISTS)
def test_lists_that_people_have_are_read(images, name, content):
    put_list(images / ("list.csv" if name == "." else name), LISTS[content])
    dataset = load_dataset(images / name, fractions=(1, 0, 0))
    assert dataset.layout == "image_list"
    order = np.argsort(dataset.rows)
    assert dataset.images[order, 0, 0].tolist() == [10, 20, 30]
    assert [dataset.names[label] for label in dataset.labels[order]] == ["happy", "sad", "happy"]
    assert dataset.ids[order].tolist() == ["images/a.png", "images/b.png", "images/c d.png"]
    assert dataset.rows[order].tolist() == [1, 2, 3]
    assert read_sizes(dataset, images / name) == [(50, 60)] * 3


@pytest.mark.parametrize("column", ["split", "Usage", "subset"])
def test_a_column_states_the_split(images, column):
    text = (
        f"path,label,{column}\na.png,happy,train\nb.png,sad,validation\nc d.png,sad,PrivateTest\n"
    )
    dataset = load_dataset(put_list(images / "list.csv", text))
    assert dataset.splits.tolist() == ["train", "val", "test"]
    assert dataset.images[:, 0, 0].tolist() == [10, 20, 30]


def test_the_names_of_lists_state_the_split(images):
    put_list(images / "train_labels.csv", "path,label\na.png,happy\nb.png,sad\n")
    put_list(images / "val_labels.csv", "path,label\nc d.png,sad\n")
    for paths in ([images], [images / "val_labels.csv", images / "train_labels.csv"]):
        dataset = load_dataset(*paths)
        assert dataset.splits.tolist() == ["train", "train", "val"]
        assert dataset.rows.tolist() == [1, 2, 3]
        assert dataset.images[:, 0, 0].tolist() == [10, 20, 30]


def test_folders_in_the_paths_state_the_split(tmp_path):
    put(tmp_path / "faces" / "train_set" / "x" / "1.png")
    put(tmp_path / "faces" / "val_set" / "x" / "2.png")
    text = "path,label\ntrain_set/x/1.png,happy\nval_set/x/2.png,sad\n"
    dataset = load_dataset(put_list(tmp_path / "faces" / "list.csv", text))
    assert dataset.splits.tolist() == ["train", "val"]


def test_images_may_lie_anywhere(images, tmp_path):
    put(tmp_path / "elsewhere" / "x.png", 77)
    text = f"path,label\n../elsewhere/x.png,sad\n{images / 'images' / 'a.png'},happy\n"
    dataset = load_dataset(put_list(images / "lists" / "list.csv", text))
    assert sorted(dataset.images[:, 0, 0].tolist()) == [10, 77]
    assert read_sizes(dataset, images / "lists" / "list.csv") == [(50, 60)] * 2


BAD = {
    "images/gone.png,happy": r"row 2: .*gone\.png: cannot be read \(No such file or directory\)",
    "images/b.png,contempt": "row 2 has the unknown label 'contempt', expected 0 to 6 or one of",
    "images/b.png": "row 2 has the unknown label ''",
    ",happy": "row 2 names no image",
    "images/a.png,sad": r"row 2 names images/a\.png, as row 1 of list\.csv does",
    "notes.txt,sad": r"row 2 names notes\.txt, which is no image",
    "list.csv,sad": r"row 2 names list\.csv, which is no image",
}


@pytest.mark.parametrize(("row", "expected"), BAD.items())
def test_a_bad_row_is_named_or_skipped(images, row, expected):
    text = f"path,label\nimages/a.png,happy\n{row}\nimages/c d.png,sad\n"
    path = put_list(images / "list.csv", text)
    with pytest.raises(DataError, match=expected) as error:
        load_dataset(path)
    assert str(error.value).startswith(f"{path}: row 2")
    assert "--skip-bad" in str(error.value)
    assert "\n" not in str(error.value)
    dataset = load_dataset(path, skip_bad=True)
    assert sorted(dataset.rows.tolist()) == [1, 3]
    assert len(dataset.skipped) == 1
    assert "row 2" in dataset.skipped[0]


def test_a_split_that_is_none_is_named(images):
    text = "path,label,split\na.png,happy,train\nb.png,sad,trial\n"
    with pytest.raises(DataError, match="row 2 has the Usage 'trial', expected Training"):
        load_dataset(put_list(images / "list.csv", text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path,label\n", "lists no image"),
        ("path,label\n,happy\n", "lists no image; .*row 1 names no image"),
        ('path,label\n"a.png\n', "row 1 has the unknown label ''"),
        ("path,label\n\x00,x\n", "row 1 names no image"),
        (f"path,label\na.png,{'7' * 5000}\n", "row 1 has the unknown label '7777"),
    ],
)
def test_a_list_of_nothing_is_named(images, text, expected):
    path = put_list(images / "list.csv", text)
    with pytest.raises(DataError, match=expected) as error:
        load_dataset(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_list_without_a_header_is_told_what_is_expected(images):
    with pytest.raises(DataError, match="expected emotion,pixels,Usage, or path,label for a list"):
        load_dataset(put_list(images / "list.csv", "a.png,happy\nb.png,sad\n"))


def test_pixels_are_never_a_list(layouts, tmp_path):
    text = layouts["csv"].read_text().replace("Usage", "path", 1).replace("emotion", "label", 1)
    path = put_list(tmp_path / "fer.csv", text)
    assert FORMATS["image_list"]().sniff([path]) is None
    dataset = load_dataset(path)
    assert (dataset.layout, len(dataset)) == ("csv", 280)


def test_several_lists_are_ambiguous(images):
    for name in ("a.csv", "b.csv"):
        put_list(images / name, "path,label\na.png,happy\n")
    with pytest.raises(DataError, match=r"has 2 lists \(a\.csv, b\.csv\); name one of them"):
        load_dataset(images)


def test_class_folders_are_read_unless_the_list_is_named(tmp_path):
    for name in ("Anger", "contempt", "Happy"):
        put(tmp_path / name / "1.png")
    put_list(tmp_path / "labels.csv", "pth,label\nAnger/1.png,happy\nHappy/1.png,anger\n")
    assert load_dataset(tmp_path, labels="affectnet8").layout == "folders"
    named = load_dataset(tmp_path / "labels.csv", labels="affectnet8")
    assert (named.layout, len(named)) == ("image_list", 2)


def test_numbered_folders_of_images_are_no_classes_next_to_a_list(tmp_path):
    """AffectNet keeps its images in hundreds of numbered folders."""
    for number in (9, 10, 1011):
        put(tmp_path / "Manually_Annotated_Images" / str(number) / "x.jpg", number % 256)
    put_list(
        tmp_path / "training.csv",
        "subDirectory_filePath,expression\n9/x.jpg,0\n10/x.jpg,1\n1011/x.jpg,7\n",
    )
    dataset = load_dataset(tmp_path, labels="affectnet8", make_val=False)
    assert sorted(dataset.names[label] for label in dataset.labels) == [
        "contempt", "happy", "neutral",
    ]  # fmt: skip
    assert dataset.split_counts() == {"train": 3}


def test_a_changed_image_is_read_again_in_spite_of_the_cache(images):
    path = put_list(images / "list.csv", LISTS["a comma"])
    load_dataset(path)
    put(images / "images" / "a.png", 200)
    assert 200 in load_dataset(path).images[:, 0, 0]


def test_numbers_are_said_to_be_fer2013s(images):
    path = put_list(images / "list.csv", "path,label\na.png,0\nb.png,1\n")
    (note, *_) = load_dataset(path).notes
    assert note.startswith("the numbers of the classes are read as FER-2013's (0 angry, 1 disgust")
    assert not any("numbers" in one for one in load_dataset(path, labels="affectnet7").notes)


@pytest.mark.parametrize("name", ["LIST.CSV", "labels.TXT", "list.Tsv"])
def test_a_list_in_capitals_is_found(tmp_path, name):
    put_images(tmp_path, 3)
    (tmp_path / name).write_text("path,label\n" + "".join(f"{i}.png,{i}\n" for i in range(3)))
    assert load_dataset(tmp_path).layout == "image_list"


def test_columns_that_could_be_read_as_well_are_named(tmp_path):
    put_images(tmp_path, 3)
    rows = "".join(f"{i}.png,{i},happy,train,test\n" for i in range(3))
    (tmp_path / "list.csv").write_text(f"path,label,expression,usage,split\n{rows}")
    dataset = load_dataset(tmp_path, make_val=False)
    assert dataset.labels.tolist() == [0, 1, 2]
    assert (
        "list.csv: the labels come from the column 'label', not from 'expression'; the splits come "
        "from the column 'usage', not from 'split'"
    ) in dataset.notes


def put_images(root, count):
    for number in range(count):
        image = np.full((48, 48), 60 * number, np.uint8)
        (root / f"{number}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
