"""FER+ votes: read, and joined to the row that they were given for or not at all."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from mien.data import load_dataset
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.formats.base import FORMATS, writable_layouts
from mien.data.formats.csv import read_csv
from mien.data.split import split_of
from mien.data.votes import (
    NO_MAJORITY,
    join_votes,
    majority_labels,
    read_votes,
)
from mien.errors import DataError
from mien.labels import FER2013

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
# Not in split order, as nothing says that a CSV is; the loader puts train before val before test.
USAGES = ["Training", "PrivateTest", "Training", "PublicTest", "Training", "PublicTest"] * 2
COUNTS = np.random.default_rng(0).integers(0, 11, (len(USAGES), 10)).astype(np.int8)


def faces_csv(path, usages=USAGES, *, usage_column=True, bad=()):
    """A CSV whose image of row N is N everywhere, so that a vote on a wrong image is seen."""
    lines = ["emotion,pixels,Usage" if usage_column else "emotion,pixels"]
    for number, usage in enumerate(usages, start=1):
        pixels = " ".join([str(number)] * (3 if number in bad else 2304))
        lines.append(f"{number % 7},{pixels}" + (f",{usage}" if usage_column else ""))
    path.write_text("\n".join(lines) + "\n")
    return path


def votes_csv(path, usages=USAGES, counts=COUNTS, header=HEADER, end="\n"):
    lines = [header]
    for number, (usage, row) in enumerate(zip(usages, counts.tolist(), strict=True)):
        name = f"fer{number:07}.png" if number % 3 else ""  # FER+ left some out
        lines.append(",".join([usage, name, *map(str, row)]))
    path.write_bytes(end.join([*lines, ""]).encode())
    return path


@pytest.fixture
def csv(tmp_path):
    return faces_csv(tmp_path / "fer2013.csv")


def assert_each_has_its_own(dataset):
    for image, votes in zip(dataset.images, dataset.votes, strict=True):
        np.testing.assert_array_equal(votes, COUNTS[image[0, 0] - 1])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_votes_are_read(tmp_path, end, gzipped):
    path = votes_csv(tmp_path / "fer2013new.csv", end=end)
    if gzipped:
        path.write_bytes(gzip.compress(path.read_bytes()))
    votes = read_votes(path)
    np.testing.assert_array_equal(votes.counts, COUNTS)
    assert votes.counts.dtype == np.int8
    assert votes.splits.tolist() == [split_of(usage) for usage in USAGES]
    assert votes.split_counts() == {"train": 6, "val": 4, "test": 2}
    assert HEADER.split(",")[2:] == list(FERPLUS_VOTES)


def test_every_image_gets_the_votes_of_its_row(tmp_path, csv):
    votes = votes_csv(tmp_path / "fer2013new.csv")
    for _ in range(2):  # read, then from the cache
        dataset = load_dataset(csv, votes=votes)
        assert dataset.votes.dtype == np.int8
        assert_each_has_its_own(dataset)
    assert_each_has_its_own(load_dataset(csv, votes=votes, fractions=(0.5, 0.25, 0.25)))


def test_votes_do_not_get_into_the_cache(tmp_path, csv):
    votes = votes_csv(tmp_path / "fer2013new.csv")
    assert load_dataset(csv, votes=votes).votes is not None
    assert load_dataset(csv).votes is None
    votes_csv(votes, counts=COUNTS + 1)
    changed = load_dataset(csv, votes=votes)
    np.testing.assert_array_equal(changed.votes[0], COUNTS[0] + 1)


@pytest.mark.parametrize("bad", [{1}, {5, 6}, {12}], ids=["first", "middle", "last"])
def test_votes_keep_to_their_rows_where_bad_ones_were_skipped(tmp_path, bad):
    path = faces_csv(tmp_path / "fer2013.csv", bad=bad)
    dataset = load_dataset(path, votes=votes_csv(tmp_path / "v.csv"), skip_bad=True)
    assert len(dataset) == len(USAGES) - len(bad)
    assert_each_has_its_own(dataset)


def test_a_row_without_a_usage_is_skipped_with_its_votes(tmp_path):
    path = faces_csv(tmp_path / "fer2013.csv", [*USAGES[:-1], ""])
    dataset = load_dataset(path, votes=votes_csv(tmp_path / "v.csv"), skip_bad=True)
    assert len(dataset) == len(USAGES) - 1
    assert_each_has_its_own(dataset)


def test_without_a_usage_column_the_count_is_all_that_can_be_checked(tmp_path):
    path = faces_csv(tmp_path / "fer2013.csv", usage_column=False)
    assert_each_has_its_own(load_dataset(path, votes=votes_csv(tmp_path / "v.csv")))
    few = votes_csv(tmp_path / "few.csv", USAGES[:9], COUNTS[:9])
    with pytest.raises(DataError, match=r"has 9 rows, and fer2013 has 12 \(row 10 is in only one"):
        load_dataset(path, votes=few)


def test_the_first_row_of_another_usage_is_named(tmp_path, csv):
    usages = list(USAGES)
    usages[3], usages[10] = "PrivateTest", "PublicTest"
    votes = votes_csv(tmp_path / "fer2013new.csv", usages)
    with pytest.raises(DataError) as error:
        load_dataset(csv, votes=votes)
    assert str(error.value) == (
        f"{votes}: does not fit fer2013: row 4 is PrivateTest here and PublicTest there; "
        "expected the votes of the same rows in the same order"
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (slice(0, 11), "has 11 rows, and fer2013 has 12 (row 12 is in only one of them)"),
        (slice(1, 12), "has 11 rows, and fer2013 has 12 (row 1 is PrivateTest here and Training"),
    ],
)
def test_another_number_of_rows_is_refused(tmp_path, csv, rows, expected):
    votes = votes_csv(tmp_path / "fer2013new.csv", USAGES[rows], COUNTS[rows])
    with pytest.raises(DataError) as error:
        load_dataset(csv, votes=votes)
    assert expected in str(error.value)


def test_more_votes_than_rows_are_refused(tmp_path, csv):
    more = votes_csv(
        tmp_path / "more.csv", [*USAGES, "Training"], np.concatenate([COUNTS, COUNTS[:1]])
    )
    with pytest.raises(DataError, match=r"has 13 rows, and fer2013 has 12 \(row 13 is in only one"):
        join_votes(read_csv(csv), read_votes(more), "fer2013")


@pytest.mark.parametrize(
    "layout", [name for name in writable_layouts() if not FORMATS[name].numbers_rows]
)
def test_votes_go_with_a_csv_alone(tmp_path, layouts, layout):
    votes = votes_csv(tmp_path / "fer2013new.csv")
    with pytest.raises(DataError, match=rf"fer2013new.csv: .*\({layout}\).* give the CSV itself"):
        load_dataset(layouts[layout], votes=votes)


def with_row(text):
    row = f"Training,fer0000001.png,{','.join('1' * 10)}"
    return f"{HEADER}\n{row}\n\n{text}\n{row}\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "the header is '', expected Usage,Image name,neutral"),
        ("<!DOCTYPE html>\n<p>", "the header is '<!DOCTYPE html>', expected .*fer2013new.csv"),
        ("emotion,pixels,Usage\n", "the header is 'emotion,pixels,Usage'"),
        (HEADER.replace("fear,contempt", "contempt,fear") + "\n", "the header is"),
        (HEADER + "\n", "no rows below the header"),
        (with_row("Training,a.png,1,2,3"), "row 2 has 5 fields, expected 12"),
        (with_row("Trainings,a.png" + ",1" * 10), "row 2 has the Usage 'Trainings', expected Tra"),
        (with_row("Training,a.png,1,x" + ",1" * 8), "row 2 has 'x' votes for happiness, expected"),
        (with_row("Training,a.png,-1" + ",1" * 9), "row 2 has '-1' votes for neutral"),
        (with_row("Training,a.png,,1" + ",1" * 8), "row 2 has '' votes for neutral"),
        (with_row("Training,a.png,128" + ",1" * 9), "row 2 has '128' votes .* 0 to 127"),
        (with_row("Training,a.png,\u00b2" + ",1" * 9), "votes for neutral, expected 0 to 127"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, content, expected):
    path = tmp_path / "fer2013new.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=expected) as error:
        read_votes(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_what_is_no_text_or_not_there(tmp_path):
    cut = tmp_path / "fer2013new.csv.gz"
    cut.write_bytes(gzip.compress(votes_csv(tmp_path / "v.csv").read_bytes())[:-40])
    binary = tmp_path / "picture.csv"
    binary.write_bytes(b"\x89PNG\r\x00\x1b[31m\n\xff\xfe")
    for path in (cut, binary, tmp_path, tmp_path / "nowhere.csv"):
        with pytest.raises(DataError) as error:
            read_votes(path)
        assert str(error.value).isprintable()


def votes_for(**counts):
    """The votes of one image, by the voters' words."""
    return np.array([[counts.get(word, 0) for word in FERPLUS_VOTES]], np.int8)


@pytest.mark.parametrize(
    ("counts", "label"),
    [
        ({"anger": 10}, "angry"),
        ({"disgust": 4, "fear": 3, "neutral": 3}, "disgust"),
        ({"happiness": 1}, "happy"),
        ({"sadness": 5, "neutral": 5}, None),
        ({"sadness": 4, "contempt": 5}, None),
        ({"sadness": 4, "unknown": 5}, None),
        ({"sadness": 4, "NF": 5}, None),
        ({"fear": 3, "contempt": 3, "unknown": 3}, "fear"),  # no fewer than each of the three
        ({"surprise": 127, "neutral": 126}, "surprise"),
        ({"contempt": 10}, None),
        ({}, None),
    ],
)
def test_the_label_that_most_voters_gave(counts, label):
    (found,) = majority_labels(votes_for(**counts)).tolist()
    assert found == (NO_MAJORITY if label is None else FER2013.names.index(label))


def test_each_of_the_seven_words_is_its_label():
    words = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    votes = np.concatenate([votes_for(**{word: 7, "NF": 3}) for word in words])
    assert majority_labels(votes).tolist() == list(range(7))
    assert majority_labels(votes).dtype == np.int64
    assert majority_labels(votes[:0]).shape == (0,)
