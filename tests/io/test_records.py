from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from pydantic import BaseModel

from mien.errors import DataError, MienError, RunError
from mien.io.records import read_record, write_record


class Facts(BaseModel):
    name: str
    numbers: tuple[float, ...] = ()


@pytest.mark.parametrize("indent", [2, None])
def test_a_record_is_read_as_it_was_written(tmp_path, indent):
    facts = Facts(name=os.fsdecode(b"caf\xe9.csv"), numbers=(1e-300, 0.1, math.inf))
    write_record(tmp_path / "facts.json", facts, indent=indent)
    assert read_record(Facts, tmp_path / "facts.json") == facts
    lines = (tmp_path / "facts.json").read_text().splitlines()
    assert (len(lines) == 1) == (indent is None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "damaged (not JSON: "),
        (b'{"name": ', "damaged (not JSON: "),
        (b"\xff", "damaged (not JSON: "),
        (b"3", "damaged (the whole file: input should be a valid dictionary"),
        (b'{"name": 3}', "damaged (name: input should be a valid string); "),
        (b'{"name": "a", "numbers": [0, "b"]}', "damaged (numbers.1: input should be a valid num"),
    ],
)
def test_a_damaged_file_is_one_line_of_the_wanted_error(tmp_path, content, said):
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_record(Facts, path, error=DataError, mend="write it again")
    assert str(error.value).startswith(f"{path}: {said}")
    assert str(error.value).endswith("; write it again")
    assert "\n" not in str(error.value)


def test_a_file_that_is_missing_or_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(RunError, match=r"none\.json: cannot be read \(No such file.*backup"):
        read_record(Facts, tmp_path / "none.json")
    with pytest.raises(RunError, match=r"cannot be read \(Is a directory"):
        read_record(Facts, tmp_path)


def test_a_record_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(MienError, match="cannot be written"):
        write_record(tmp_path / "file" / "facts.json", Facts(name="a"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert Path(tmp_path / "file").read_text() == "x"
