from __future__ import annotations

import gzip
import shutil

import numpy as np
import pytest

from mien.data import load_dataset
from mien.data.formats.base import ReadOptions
from mien.data.formats.csv import read_csv
from mien.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 48, 48), np.uint8)
LABELS = [0, 1, 2, 3, 4, 5, 6, 3, 3, 0, 0, 6]
USAGES = ["Training"] * 8 + ["PublicTest"] * 2 + ["PrivateTest"] * 2
NAMES = ["Anger", "disgust", "fear", "happiness", "sad", "surprised", "neutral"]


def pixels(image) -> str:
    return " ".join(map(str, image.ravel().tolist()))


def competition() -> str:
    rows = [
        f"{label},{pixels(image)},{usage}"
        for label, image, usage in zip(LABELS, IMAGES, USAGES, strict=True)
    ]
    return "emotion,pixels,Usage\n" + "\n".join(rows) + "\n"


def usage_first() -> str:
    rows = [
        f"{label}, {usage}, {pixels(image)}"
        for label, image, usage in zip(LABELS, IMAGES, USAGES, strict=True)
    ]
    return "emotion, Usage, pixels\n" + "\n".join(rows) + "\n"


VARIANTS = {
    "competition": competition,
    "spaces and order of the other release": usage_first,
    "CRLF": lambda: competition().replace("\n", "\r\n"),
    "byte order mark": lambda: "\ufeff" + competition(),
    "no newline at the end": lambda: competition().rstrip("\n"),
    "blank lines": lambda: competition().replace("\n", "\n\n"),
    "quoted": lambda: "\n".join(
        ",".join(f'"{field}"' for field in line.split(",")) for line in competition().splitlines()
    ),
    "other case": lambda: competition().replace("emotion,pixels,Usage", "Emotion,Pixels,usage"),
    "names": lambda: (
        "emotion,pixels,Usage\n"
        + "\n".join(
            f"{NAMES[label]},{pixels(image)},{usage}"
            for label, image, usage in zip(LABELS, IMAGES, USAGES, strict=True)
        )
    ),
    "two spaces": lambda: competition().replace(" ", "  "),
    "one more column": lambda: "\n".join(f"{line},x" for line in competition().splitlines()),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("gzipped", [False, True])
def test_every_variant_that_people_have_is_read(tmp_path, variant, gzipped):
    content = VARIANTS[variant]().encode()
    path = tmp_path / ("emotional_dataset.csv.gz" if gzipped else "emotional_dataset.csv")
    path.write_bytes(gzip.compress(content) if gzipped else content)
    rows = read_csv(path)
    np.testing.assert_array_equal(rows.images, IMAGES)
    assert rows.labels.tolist() == LABELS
    assert rows.splits.tolist() == ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    assert rows.ids[:2].tolist() == ["row 1", "row 2"]
    assert rows.rows.tolist() == list(range(1, 13))


def test_without_usage_no_split_is_stated(tmp_path):
    path = tmp_path / "fer.csv"
    path.write_text(f"emotion,pixels\n3,{pixels(IMAGES[0])}\n")
    assert read_csv(path).splits.tolist() == [""]


def test_blocks_are_joined_in_order(tmp_path):
    """More rows than one block holds, so that block borders fall inside rows."""
    images = np.random.default_rng(1).integers(0, 256, (700, 48, 48), np.uint8)
    path = tmp_path / "fer.csv"
    path.write_text(
        "emotion,pixels,Usage\n"
        + "".join(f"{i % 7},{pixels(image)},Training\n" for i, image in enumerate(images))
    )
    rows = read_csv(path)
    np.testing.assert_array_equal(rows.images, images)
    assert rows.labels.tolist() == [i % 7 for i in range(700)]


def with_row(text: str, row: int = 3) -> str:
    lines = competition().splitlines()
    lines[row] = text
    return "\n".join(lines) + "\n"


GOOD = pixels(IMAGES[0])
BAD_ROWS = {
    f"3,{GOOD.rsplit(' ', 1)[0]},Training": "row 3 has 2,303 pixels, expected 2,304 (48x48)",
    f"3,{GOOD} 7,Training": "row 3 has 2,305 pixels",
    f"3,{GOOD.replace(' ', ' 256 ', 1).rsplit(' ', 1)[0]},Training": "row 3 has '256' as pixel 2",
    f"3,{'9' * 5000}{GOOD[GOOD.index(' ') :]},Training": "as pixel 1, expected 0 to 255",
    f"3,{'x' + GOOD[1:]},Training": "as pixel 1, expected 0 to 255",
    f"3,-{GOOD},Training": "as pixel 1, expected 0 to 255",
    f"3,{GOOD.replace(' ', '.0 ', 1)},Training": "as pixel 1",
    f"3,{GOOD.replace(' ', ' 0001 ', 1).rsplit(' ', 1)[0]},Training": None,
    f"7,{GOOD},Training": "row 3 has the unknown label '7'",
    f"hapy,{GOOD},Training": "did you mean 'happy'",
    f",{GOOD},Training": "row 3 has the unknown label ''",
    f"3,{GOOD},Trainning": "row 3 has the Usage 'Trainning', expected Training, PublicTest",
    f"3,{GOOD}": None,
    "3": "row 3 has 0 pixels",
    "3,,Training": "row 3 has 0 pixels",
    "\x00\x01\x02": "row 3 has 0 pixels",
}


@pytest.mark.parametrize(("row", "expected"), BAD_ROWS.items())
def test_a_bad_row_is_named(tmp_path, row, expected):
    path = tmp_path / "fer.csv"
    path.write_text(with_row(row))
    if expected is None:  # odd, but it says what it means
        assert len(read_csv(path)) == len(LABELS)
        return
    with pytest.raises(DataError) as caught:
        read_csv(path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


def test_a_row_without_a_usage_among_others_is_named_or_skipped(tmp_path):
    """What a file looks like that was cut off in its last row."""
    path = tmp_path / "fer.csv"
    path.write_text(competition().removesuffix(",PrivateTest\n"))
    with pytest.raises(DataError, match=r"row 12 states no split, while others do \(1 of 12\)"):
        load_dataset(path)
    dataset = load_dataset(path, skip_bad=True)
    assert len(dataset) == 11
    assert "row 12" in dataset.skipped[0]


def test_skip_bad_leaves_bad_rows_out_and_lists_them(tmp_path):
    path = tmp_path / "fer.csv"
    path.write_text(with_row("3,1 2 3,Training"))
    rows = read_csv(path, ReadOptions(skip_bad=True))
    assert len(rows) == len(LABELS) - 1
    np.testing.assert_array_equal(rows.images, np.delete(IMAGES, 2, axis=0))
    assert rows.skipped == [f"{path}: row 3 has 3 pixels, expected 2,304 (48x48)"]
    assert rows.rows.tolist() == [1, 2, *range(4, 13)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"emotion,pixels,Usage\n", "no usable rows"),
        (b"a,b,c\n1,2,3\n", "no column 'emotion'"),
        (b"emotion,pixel,Usage\n", r"no column 'pixels' \(did you mean 'pixel'\?\)"),
        (gzip.compress(competition().encode())[:-2000], "cannot be decompressed past row"),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, expected):
    path = tmp_path / "fer.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=expected):
        read_csv(path)


def test_the_fast_and_the_slow_way_agree(tmp_path):
    """A bad row sends its whole block through the slow way, which must read the others alike."""
    path = tmp_path / "fer.csv"
    path.write_text(competition() + f"9,{GOOD},Training\n")
    slow = read_csv(path, ReadOptions(skip_bad=True))
    np.testing.assert_array_equal(slow.images, IMAGES)
    assert slow.labels.tolist() == LABELS
    assert len(slow.skipped) == 1


def test_a_file_without_its_last_row_is_read_again_in_spite_of_the_cache(tmp_path):
    path = tmp_path / "fer.csv"
    path.write_text(competition())
    assert len(load_dataset(path)) == len(LABELS)
    path.write_text("\n".join(competition().splitlines()[:-1]) + "\n")
    assert len(load_dataset(path)) == len(LABELS) - 1


def test_a_folder_of_several_csvs_is_ambiguous(layouts, tmp_path):
    for name in ("a.csv", "b.csv"):
        shutil.copy(layouts["csv"], tmp_path / name)
    with pytest.raises(DataError, match=r"2 CSV files \(a.csv, b.csv\); name one of them"):
        load_dataset(tmp_path)


def test_a_folder_with_one_csv_is_that_csv(faces, layouts, tmp_path):
    shutil.copy(layouts["csv"], tmp_path / "fer2013.csv")
    dataset = load_dataset(tmp_path)
    assert (dataset.name, dataset.layout) == ("fer2013", "csv")
    assert dataset.fingerprint == faces.fingerprint


def test_columns_that_could_be_read_as_well_are_named(tmp_path):
    row = f"3,sad,{' '.join(['7'] * 2304)},Training\n"
    path = tmp_path / "a.csv"
    path.write_text(f"emotion,label,pixels,Usage\n{row * 9}")
    dataset = load_dataset(path)
    assert set(dataset.labels.tolist()) == {3}
    assert "a.csv: the labels come from the column 'emotion', not from 'label'" in dataset.notes


def test_a_csv_in_capitals_is_found_in_a_folder(tmp_path):
    row = f"3,{' '.join(['7'] * 2304)},Training\n"
    (tmp_path / "FER2013.CSV").write_text(f"emotion,pixels,Usage\n{row * 9}")
    assert len(load_dataset(tmp_path)) == 9
