from __future__ import annotations

import pytest

from mien.errors import DataError
from mien.labels import (
    BUILT_IN,
    FER2013,
    LabelSet,
    found_labels,
    named_labels,
    parse_label_set,
)


def test_order_is_fer2013s():
    assert FER2013.names == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert FER2013.numbering == tuple(range(7))


@pytest.mark.parametrize("labels", BUILT_IN.values(), ids=BUILT_IN)
def test_built_in_sets_have_colours_of_their_own_and_the_same_ones(labels):
    assert len(set(labels.colours)) == len(labels)
    shared = set(labels.names) & set(FER2013.names)
    colour = dict(zip(labels.names, labels.colours, strict=True))
    assert all(colour[name] == FER2013.colours[FER2013.parse(name)] for name in shared)


def test_a_set_is_known_by_its_names():
    for title, labels in BUILT_IN.items():
        assert parse_label_set(title) is labels
        assert named_labels(labels.names) is labels
    assert named_labels(["a", "b"]) == LabelSet(("a", "b"))
    assert LabelSet(FER2013.names, title="other") == FER2013
    assert LabelSet(FER2013.names[::-1]) != FER2013


@pytest.mark.parametrize(
    ("word", "name"),
    [("anger", "angry"), ("Happiness", "happy"), (" SADNESS ", "sad"), ("fearful", "fear"),
     ("surprised", "surprise"), ("Disgusted", "disgust"), ("neutral", "neutral"), ("3", "happy")],
)  # fmt: skip
def test_usual_names_are_understood(word, name):
    assert FER2013.names[FER2013.parse(word)] == name


@pytest.mark.parametrize("word", ["7", "-1", "", "contempt", "3.0", "hapy", "9" * 5000])
def test_other_words_are_refused(word):
    with pytest.raises(DataError, match="unknown label") as error:
        FER2013.parse(word)
    assert len(str(error.value)) < 200


def test_the_nearest_name_is_offered():
    with pytest.raises(DataError, match="did you mean 'happy'"):
        FER2013.parse("hapy")


@pytest.mark.parametrize(
    ("title", "words"),
    [("rafdb", {"1": "surprise", "7": "neutral"}), ("affectnet7", {"0": "neutral", "6": "angry"}),
     ("affectnet8", {"7": "contempt"}), ("ckplus", {"anger": "angry"}),
     ("ferplus", {"happiness": "happy", "contempt": "contempt"})],
)  # fmt: skip
def test_sets_number_their_own_classes(title, words):
    labels = BUILT_IN[title]
    assert {word: labels.names[labels.parse(word)] for word in words} == words
    assert labels.find("8") is None


def test_ferplus_has_no_numbers():
    assert all(BUILT_IN["ferplus"].find(str(number)) is None for number in range(10))
    assert "0 to" not in BUILT_IN["ferplus"].expected()


def test_own_names_aliases_and_numbers():
    labels = parse_label_set(
        {"names": ["bad", "good"], "aliases": {"Awful": "bad"}, "numbering": {2: "bad", 1: "good"}}
    )
    assert [labels.parse(word) for word in ("BAD", "awful", "2", "good", "1")] == [0, 0, 0, 1, 1]
    assert labels.find("0") is None
    assert parse_label_set("bad, good") == parse_label_set(["bad", "good"]) == labels
    assert parse_label_set({"numbering": {"1": "bad", "2": "good"}}).names == ("bad", "good")


def test_a_number_means_the_class_that_is_called_by_it():
    labels = LabelSet(("1", "2", "3"))
    assert [labels.find(word) for word in "0123"] == [None, 0, 1, 2]
    assert LabelSet(("1", "other")).find("0") is None
    assert LabelSet(("2", "7")).find("0") is None


def test_auto_takes_the_names_that_are_there_in_natural_order():
    assert found_labels({"class 10", "class 9", " class 1 "}).names == (
        "class 1", "class 9", "class 10",
    )  # fmt: skip
    for words in (["sad", "happy", "Happy", "joy"], ["Happy", "joy", "happy", "sad"]):
        assert found_labels(words).names == ("Happy", "sad")  # "Happy" precedes "happy" and "joy"
    assert found_labels(["b", "a"]).find("0") is None
    numbered = found_labels(str(number) for number in range(1, 12))
    assert numbered.names[9] == "10"
    assert [numbered.find(word) for word in ("0", "1", "11")] == [None, 0, 10]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("a,a", "'a' is given twice; leave one of them out"),
        (["sad", "Sad"], "'Sad' is given twice"),
        (["one"], "only 'one', expected two classes or more"),
        ([], "no label, expected two classes"),
        ("rafbd", r"no label set is called that \(did you mean 'rafdb'\?\)"),
        (7, "expected the name of a label set, a list or a table"),
        (["a/b", "c"], "'a/b' cannot be a label"),
        (["", "c"], "'' cannot be a label"),
        (["..", "c"], "'..' cannot be a label"),
        ({"name": ["a", "b"]}, r"labels.name: no such key \(did you mean 'names'\?\)"),
        ({"names": ["a", "b"], "aliases": {"x": "c"}}, "the alias 'x' stands for 'c'"),
        ({"names": ["a", "b"], "aliases": ["x"]}, "expected a table of spellings"),
        ({"names": ["a", "b"], "numbering": {0: "a", 2: "b"}}, "0, 2 leaves a number out"),
        ({"names": ["a", "b"], "numbering": {0: "a"}}, "'b' has no number"),
        ({"names": ["a", "b"], "numbering": {0: "a", 1: "a", 2: "b"}}, "'a' has two numbers"),
        ({"names": ["a", "b"], "numbering": {0: "a", 1: "bb"}}, "which is none of the labels a, b"),
        ({"names": ["a", "b"], "numbering": {"x": "a"}}, "'x' is not a whole number"),
        ({"names": ["a", "b"], "numbering": [0, 1]}, "expected a table of numbers"),
    ],
)
def test_what_is_no_label_set_is_one_line(setting, expected):
    with pytest.raises(DataError, match=expected) as error:
        parse_label_set(setting)
    assert "\n" not in str(error.value)
    assert str(error.value).count("expected") <= 1
