from __future__ import annotations

import numpy as np
import pytest

from mien.data.groups import MOST_GROUPS, read_groups
from mien.errors import DataError

IDS = np.array(["row 1", "row 2", "row 4"])


def written(tmp_path, text: str):
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_image_has_its_group_of_each_column(tmp_path):
    text = "\ufeffage, id ,gender\n20-39,row 4,f\n\n60+,row 1,\n0-19,row 99,m\n"
    groups = read_groups(written(tmp_path, text), IDS, data="fer")
    assert groups["age"].tolist() == ["60+", "", "20-39"]
    assert groups["gender"].tolist() == ["", "", "f"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the header is ''"),
        ("name,age\nrow 1,3\n", "expected id and a column for each grouping"),
        ("id\nrow 1\n", "expected id and a column for each grouping"),
        ("id,age,age\nrow 1,1,2\n", "each with a name of its own"),
        ("id,age\nrow 1\n", "line 2 has 1 fields, expected 2 (id,age)"),
        ("id,age\nrow 1,a\nrow 1,b\n", "line 3 repeats the id of line 2"),
        ("id,age\n17,a\n", "none of its 1 ids is an image of fer, expected ids such as 'row 1'"),
        ('id,age\nrow 1,"a\n', "cannot be read as CSV"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(DataError) as raised:
        read_groups(path, IDS, data="fer")
    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)


def test_ages_in_years_are_no_groups(tmp_path):
    ids = np.array([f"row {number}" for number in range(MOST_GROUPS + 1)])
    rows = "".join(f"{name},{number}\n" for number, name in enumerate(ids))
    with pytest.raises(DataError, match="the column 'age' has 31 different values, expected at"):
        read_groups(written(tmp_path, f"id,age\n{rows}"), ids, data="fer")


def test_a_file_that_is_no_text_or_missing_is_one_line(tmp_path):
    path = tmp_path / "groups.csv"
    with pytest.raises(DataError, match="cannot be read"):
        read_groups(path, IDS, data="fer")
    path.write_bytes(b"id,age\nrow 1,\xff\n")
    with pytest.raises(DataError, match="is not text in UTF-8"):
        read_groups(path, IDS, data="fer")
