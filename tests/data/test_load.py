"""Paths that are no data set, whatever the layout; layouts themselves are in test_contract.py."""

from __future__ import annotations

import pytest

from mien.data import load_dataset
from mien.data.formats.base import FORMATS
from mien.errors import DataError, MienError


def test_nobodys_home_is_said():
    with pytest.raises(MienError, match="no such user"):
        load_dataset("~nobody-of-that-name/fer2013.csv")


def test_no_path_at_all_is_said():
    with pytest.raises(DataError, match="no data set was given"):
        load_dataset()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda _: None, "no such file or folder"),
        (lambda p: p.write_bytes(b""), "not a known layout"),
        (lambda p: p.write_bytes(b"PK\x03\x04zip"), "unpack it"),
        (lambda p: p.write_bytes(b"\x89PNG\r\n"), "not a known layout"),
        (lambda p: p.mkdir(), "no class folder"),
    ],
)
def test_what_is_no_data_set_is_said(tmp_path, make, expected):
    path = tmp_path / "data"
    make(path)
    with pytest.raises(DataError, match=expected):
        load_dataset(path)


def test_an_unknown_layout_is_answered_with_all_known_ones(tmp_path):
    (tmp_path / "data").write_text("nothing known")
    with pytest.raises(DataError) as error:
        load_dataset(tmp_path / "data")
    for kind in FORMATS.all().values():
        assert kind.expects in str(error.value)
    assert "\n" not in str(error.value)
