"""Classes of a data set: those that the files have, and those that the user asks for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.data import load_dataset
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.formats.base import writable_layouts
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.errors import DataError
from mien.images.crop import CropSpec
from mien.labels import BUILT_IN, FER2013, LabelSet

COLOUR = np.random.default_rng(0).integers(0, 256, (70, 64, 3), np.uint8)


def put(path, image=COLOUR):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def put_classes(root, *names, each=3):
    for name in names:
        for number in range(each):
            put(root / name / f"{number}.png")
    return root


def put_pixels(path, *rows):
    """A CSV of 24-pixel images with these emotions."""
    lines = [f"{word},{' '.join(['7'] * 576)},Training" for word in rows]
    path.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    return path


def put_list(root, *words):
    lines = ["path,label"]
    for number, word in enumerate(words):
        put(root / "images" / f"{number}.png")
        lines.append(f"{number}.png,{word}")
    (root / "list.csv").write_text("\n".join(lines) + "\n")
    return root / "list.csv"


def put_parquet(path, *words):
    import pyarrow as pa
    from pyarrow import parquet

    png = cv2.imencode(".png", COLOUR)[1].tobytes()
    parquet.write_table(pa.table({"image": [png] * len(words), "label": words}), path)
    return path


def make(layout, root, words):
    """The same classes in one layout, three images of each."""
    root.mkdir(parents=True, exist_ok=True)
    if layout == "folders":
        return put_classes(root, *words)
    maker = {"csv": put_pixels, "image_list": put_list, "parquet": put_parquet}[layout]
    return maker(root if layout == "image_list" else root / f"x.{layout}", *words, *words, *words)


LAYOUTS = ("csv", "folders", "image_list", "parquet")


def test_these_are_all_layouts_that_can_be_written():
    assert writable_layouts() == list(LAYOUTS)


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


SETTINGS = {
    "auto": ("auto", ["cat", "dog", "emu 2", "emu 10"], ("cat", "dog", "emu 2", "emu 10")),
    "auto, numbered": ("auto", ["9", "10", "11"], ("9", "10", "11")),
    "names": ("emu,dog,cat", ["dog", "Cat", "emu"], ("emu", "dog", "cat")),
    "a list": (["emu", "dog", "cat"], ["dog", "0", "2"], ("emu", "dog", "cat")),
    "a table": (
        {"names": ["bad", "good"], "aliases": {"awful": "bad"}, "numbering": {2: "bad", 1: "good"}},
        ["awful", "1"],
        ("bad", "good"),
    ),
    "built in": ("ckplus", ["anger", "contempt", "happy"], BUILT_IN["ckplus"].names),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_labels_of_ones_own_in_every_layout(layout, setting, tmp_path):
    labels, words, names = SETTINGS[setting]
    path = make(layout, tmp_path / "data", words)
    channels = 1 if layout == "csv" else 3
    dataset = load_dataset(path, labels=labels, size_px=64, channels=channels)
    assert (dataset.layout, dataset.names) == (layout, names)
    assert dataset.crop == CropSpec(64, channels)
    assert dataset.images.shape[1:] == dataset.crop.shape
    expected = {dataset.label_set.parse(word) for word in words}
    assert set(dataset.labels.tolist()) == expected
    assert len(dataset) == 3 * len(words)
    again = load_dataset(path, labels=labels, size_px=64, channels=channels)
    assert again.fingerprint == dataset.fingerprint
    if channels == 3:
        np.testing.assert_array_equal(
            dataset.images[0], cv2.resize(COLOUR, (64, 64), interpolation=cv2.INTER_AREA)[..., ::-1]
        )


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["happy", "contempt"], "data.labels=affectnet8 (--labels affectnet8) fits these files, "
         "and so does ckplus or ferplus"),
        (["happy", "cat"], "data.labels (--labels) names another label set, and auto takes the "
         "names in the files (cat, happy)"),
        ([*"01234567"], "data.labels=affectnet8 (--labels affectnet8) "
         "fits these files, and so does ckplus"),
        ([*"1234567"], "data.labels=rafdb (--labels rafdb) fits these files"),
    ],
)  # fmt: skip
def test_unknown_classes_are_one_line_with_the_sets_that_fit(layout, words, advice, tmp_path):
    with pytest.raises(DataError) as error:
        load_dataset(make(layout, tmp_path / "data", words))
    line = str(error.value)
    assert line.endswith(f"; {advice}")
    assert "\n" not in line
    for once in ("data.labels", "expected", "--skip-bad", "unknown label"):
        assert line.count(once) <= 1, line


def test_skipped_classes_are_counted_and_named(layout, tmp_path):
    path = make(layout, tmp_path / "data", ["happy", "cat", "sad", "dog", "dog"])
    dataset = load_dataset(path, skip_bad=True)
    dogs = 3 if layout == "folders" else 6
    for _ in range(2):  # read, and from the cache
        (note, *_) = load_dataset(path, skip_bad=True).notes
        assert note.startswith(
            f"{dogs + 3} images of unknown classes were left out ('cat' 3, 'dog' {dogs}); data.lab"
            if layout == "folders"
            else f"{dogs + 3} images of unknown classes were left out ('dog' {dogs}, 'cat' 3); data"
        )
    assert len(dataset) == 6
    assert len(dataset.skipped) == dogs + 3


def test_one_class_that_is_left_is_an_error(layout, tmp_path):
    path = make(layout, tmp_path / "data", ["happy", "cat", "dog"])
    with pytest.raises(DataError, match="only images of happy are left, since these classes are"):
        load_dataset(path, skip_bad=True)


def test_no_class_that_is_left_is_an_error(layout, tmp_path):
    path = make(layout, tmp_path / "data", ["cat", "dog"])
    with pytest.raises(DataError, match="unknown label 'cat'"):
        load_dataset(path, skip_bad=True)


def test_one_class_is_none_to_find(layout, tmp_path):
    path = make(layout, tmp_path / "data", ["cat"])
    with pytest.raises(DataError, match=r": labels: only 'cat', expected two classes or more"):
        load_dataset(path, labels="auto")


def test_classes_without_images_are_told(layout, tmp_path):
    path = make(layout, tmp_path / "data", ["happy", "sad"])
    (note,) = load_dataset(path).notes
    assert note == (
        "no image shows angry, disgust, fear, surprise, neutral; --labels auto (data.labels) takes "
        "the classes that there are"
    )
    assert load_dataset(path, labels="auto").notes == ()
    (own,) = load_dataset(path, labels="happy,sad,other").notes
    assert own == "no image shows other"


def test_spellings_of_one_class_are_one_and_said(layout, tmp_path):
    words = ["calm", "neutral", "sad"]
    path = make(layout, tmp_path / "data", words)
    dataset = load_dataset(path, labels="auto")
    assert dataset.class_counts() == {"calm": 6, "sad": 3}
    (note,) = dataset.notes
    assert note.startswith("'calm' and 'neutral' are one class, 'calm'; to keep them apart, name")
    apart = load_dataset(path, labels=words)
    assert apart.class_counts() == {"calm": 3, "neutral": 3, "sad": 3}
    assert apart.notes == ()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"names": ["a", "b", "c"], "numbering": {0: "a", 1: "b", 3: "c"}}, "leaves a number out"),
        ("a,A", "given twice"),
        (["a"], "only 'a', expected two classes"),
        ("fer13", r"did you mean 'fer2013'"),
    ],
)
def test_labels_that_are_no_set_are_one_line(tmp_path, labels, expected):
    with pytest.raises(DataError, match=expected):
        load_dataset(put_classes(tmp_path, "a", "b"), labels=labels)


@pytest.mark.parametrize("size_px", [23, 225])
def test_sizes_have_limits(tmp_path, size_px):
    with pytest.raises(DataError, match=f"size_px = {size_px}: expected 24 to 224 pixels"):
        load_dataset(put_classes(tmp_path, "happy", "sad"), size_px=size_px)
    with pytest.raises(DataError, match="channels = 2: expected 1 for gray or 3 for colour"):
        load_dataset(tmp_path, channels=2)


def test_colour_of_gray_files_is_made_and_said(layout, tmp_path):
    gray = synthetic_faces(14, seed=0)
    path = tmp_path / f"data{'.csv' if layout == 'csv' else ''}"
    write_dataset(gray, path, layout)
    for _ in range(2):  # read, and from the cache
        dataset = load_dataset(path, channels=3)
        assert dataset.crop == CropSpec(48, 3)
        np.testing.assert_array_equal(dataset.images[..., 0], gray.images)
        np.testing.assert_array_equal(dataset.images[..., 2], gray.images)
        assert any(note.startswith("the images are gray, so the three") for note in dataset.notes)
    assert not any("gray" in note for note in load_dataset(path).notes)


def test_colour_of_one_image_among_gray_ones_is_colour(tmp_path):
    put_classes(tmp_path, "happy", "sad", each=200)
    for path in sorted(tmp_path.rglob("*.png"))[1:]:
        put(path, COLOUR[..., 0])
    assert not any("gray" in one for one in load_dataset(tmp_path, channels=3).notes)


@pytest.mark.parametrize("wrapper", ["", "train_set", "train"])
def test_affectnets_folders(tmp_path, wrapper):
    for folder in (wrapper, wrapper.replace("train", "val")):
        put_classes(tmp_path / folder, *map(str, range(8)), each=2)
    eight = load_dataset(tmp_path, labels="affectnet8")
    assert eight.names[7] == "contempt"
    assert set(eight.class_counts().values()) == {4 if wrapper else 2}
    assert (eight.split_rule == "as the files say") == bool(wrapper)
    with pytest.raises(DataError, match=r"unknown label '7'.*--skip-bad leaves it out"):
        load_dataset(tmp_path, labels="affectnet7")
    seven = load_dataset(tmp_path, labels="affectnet7", skip_bad=True)
    assert len(seven) == len(eight) * 7 // 8
    assert seven.notes[0].startswith(
        f"{len(eight) // 8} images of unknown classes were left out ('7'"
    )


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [("affectnet7", range(1, 9)), (None, range(8)), ("rafdb", range(8)), ("a,b,c", [0, 1, 3])],
)
def test_numbers_of_another_set_are_refused_even_if_bad_images_may_be_skipped(
    tmp_path, labels, numbers
):
    put_classes(tmp_path, *map(str, numbers))
    with pytest.raises(DataError, match="the classes are not numbered as in"):
        load_dataset(tmp_path, labels=labels, skip_bad=True)


@pytest.mark.parametrize("labels", ["ckplus", "auto"])
def test_ck_plus_48(tmp_path, labels):
    names = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
    dataset = load_dataset(put_classes(tmp_path / "CK+48", *names), labels=labels)
    assert dataset.names == (names if labels == "auto" else BUILT_IN["ckplus"].names)
    assert sum(count == 3 for count in dataset.class_counts().values()) == 7
    assert ["neutral" in note for note in dataset.notes] == ([] if labels == "auto" else [True])


# --- FER+ ---

MAJORITIES = ["neutral", "happiness", "contempt", "unknown", "NF", None, "anger", ""]


def voted(faces):
    """FER+ votes of which the majorities are known: None is a tie, and "" is no vote."""
    votes = np.zeros((len(faces), 10), np.int8)
    for row in range(len(faces)):
        word = MAJORITIES[row % len(MAJORITIES)]
        if word is None:
            votes[row, :2] = 5
        elif word:
            votes[row, FERPLUS_VOTES.index(word)] = 8
            votes[row, 0] += 1
    return votes


@pytest.fixture(params=["parquet", "csv and votes", "parquet of Hugging Face"])
def ferplus(request, tmp_path):
    """Paths and options of 80 faces with votes."""
    from dataclasses import replace

    faces = synthetic_faces(80, seed=0)
    votes = voted(faces)
    if request.param == "csv and votes":
        write_dataset(faces, tmp_path / "fer.csv", "csv")
        header = f"Usage,Image name,{','.join(FERPLUS_VOTES)}"
        usages = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}
        lines = [
            ",".join([usages[split], "x.png", *map(str, row)])
            for split, row in zip(faces.splits, votes.tolist(), strict=True)
        ]
        (tmp_path / "votes.csv").write_text("\n".join([header, *lines]) + "\n")
        return tmp_path / "fer.csv", {"votes": tmp_path / "votes.csv"}
    path = tmp_path / "fer.parquet"
    write_dataset(replace(faces, votes=votes), path, "parquet")
    if request.param == "parquet":  # numbers alone
        from pyarrow import parquet

        parquet.write_table(parquet.read_table(path).replace_schema_metadata(None), path)
    return path, {}


def test_ferplus_is_the_majority_of_the_votes(ferplus):
    path, options = ferplus
    dataset = load_dataset(path, labels="ferplus", **options)
    assert dataset.label_set == BUILT_IN["ferplus"]
    assert len(dataset) == 40
    assert dataset.class_counts() == {
        **dict.fromkeys(dataset.names, 0), "neutral": 10, "happy": 10, "contempt": 10, "angry": 10,
    }  # fmt: skip
    expected = np.array([0, 1, 7, -1, -1, -1, 4, -1])
    np.testing.assert_array_equal(expected[(dataset.rows - 1) % 8], dataset.labels)
    assert dataset.notes[0] == (
        "labels are the majority of FER+ votes; 40 images left out: 10 with a tie, 10 with no "
        "votes, 10 with the majority 'unknown', 10 with the majority 'NF'"
    )
    again = load_dataset(path, **options)
    assert (len(again), again.label_set) == (80, FER2013)


def test_ferplus_of_numbers_without_votes_is_one_line(tmp_path):
    faces = synthetic_faces(14, seed=0)
    write_dataset(faces, tmp_path / "fer.csv", "csv")
    with pytest.raises(DataError) as error:
        load_dataset(tmp_path / "fer.csv", labels="ferplus")
    assert "row 1 has the unknown label" in str(error.value)
    assert "ferplus takes its labels from FER+ votes, which these files do not" in str(error.value)
    assert "--votes" in str(error.value)


def test_ferplus_of_names_without_votes_is_said(tmp_path):
    put_classes(tmp_path, "happy", "contempt")
    notes = load_dataset(tmp_path, labels="ferplus").notes
    assert notes[0] == "these files have no FER+ votes, so the labels are those that they state"


def test_ferplus_without_a_majority_is_one_line(tmp_path):
    from dataclasses import replace

    faces = synthetic_faces(14, seed=0)
    path = tmp_path / "fer.parquet"
    write_dataset(replace(faces, votes=np.ones((14, 10), np.int8)), path, "parquet")
    with pytest.raises(DataError, match=r"no image has a majority of FER\+ votes \(14 with a tie"):
        load_dataset(path, labels="ferplus")


def test_parquet_tells_hugging_face_the_names(tmp_path):
    import json

    from pyarrow import parquet

    labels = LabelSet(("zebra", "ant"))
    put_classes(tmp_path / "in", *labels.names)
    dataset = load_dataset(tmp_path / "in", labels=labels)
    write_dataset(dataset, tmp_path / "x.parquet", "parquet")
    schema = parquet.read_schema(tmp_path / "x.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features["label"] == {"names": ["zebra", "ant"], "_type": "ClassLabel"}
    assert list(features) == schema.names
    assert load_dataset(tmp_path / "x.parquet", labels="auto").names == ("ant", "zebra")
