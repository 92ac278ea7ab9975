"""``mien batch`` as a user runs it."""

from __future__ import annotations

import json

import pytest
from tests.batch.made import rows_of, write_photos


@pytest.fixture
def photos(tmp_path):
    return write_photos(tmp_path / "in", 8)


def test_photos_are_read_to_parquet(mien, photos, tmp_path):
    result = mien("batch", photos, "--crops", "--out", tmp_path / "out", "--workers", 1)
    assert result.code == 0
    assert result.out.splitlines() == [
        "8 pictures, 8 faces, 0 errors in 1 file",
        f"saved       {tmp_path / 'out'}",
    ]
    assert "8 pictures and videos in 1 part\n" in result.err
    assert len(rows_of(tmp_path / "out")) == 8


def test_half_the_photos_damaged_is_a_row_each_and_code_1(mien, tmp_path):
    photos = write_photos(tmp_path / "in", 8, damaged=4)
    result = mien("batch", photos, "--crops", "--out", tmp_path / "out", "--workers", 1)
    assert result.code == 1
    assert "8 pictures, 4 faces, 4 errors in 1 file" in result.out
    assert "mien: 4 pictures could not be read, or not completely; the column error" in result.err
    assert sum(row["error"] is not None for row in rows_of(tmp_path / "out")) == 4


def test_nothing_but_damage_is_code_2(mien, tmp_path):
    photos = write_photos(tmp_path / "in", 4, damaged=4)
    result = mien("batch", photos, "--out", tmp_path / "out", "--workers", 1, "--json")
    assert result.code == 2
    found = json.loads(result.out)
    assert (found["pictures"], found["unread"], found["parts"]) == (4, 4, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out", "IN/out"), "lies in the source"),
        (("--out", "OUT", "--model", "nothing"), "nothing"),
        (("--out", "OUT", "--engine", "local", "--address", "auto"), "--address needs Ray"),
        (("--out", "nowhere://out"), "nowhere://out/: cannot be opened"),
        (("--out", "OUT", "--resume"), "no batch job to resume there"),
        (("--out", "OUT", "--crops", "--detector", "haar"), "leave out --detector haar"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(mien, photos, tmp_path, arguments, said):
    out = tmp_path / "out"
    named = [one.replace("IN", str(photos)).replace("OUT", str(out)) for one in arguments]
    result = mien("batch", photos, *named)
    assert result.code == 2
    assert said in result.err
    assert len(result.err.splitlines()) == 1
    assert not out.exists()


def test_a_job_that_is_there_is_resumed_on_request(mien, photos, tmp_path):
    arguments = ("batch", photos, "--crops", "--out", tmp_path / "out", "--workers", 1)
    assert mien(*arguments).code == 0
    again = mien(*arguments)
    assert again.code == 2
    assert "exists already, with a finished batch job; add --resume" in again.err
    resumed = mien(*arguments, "--resume")
    assert resumed.code == 0
    assert "1 part, 1 of them read before" in resumed.err
