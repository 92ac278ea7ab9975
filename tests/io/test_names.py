from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from mien.io.names import Name, escape_undecodable, is_text, readable_name

NAME = TypeAdapter(Name)


@pytest.mark.parametrize("name", ["quick", "mien-s", "my recipe (2)", "_base", "3.1", "Gefühl"])
def test_what_a_file_can_be_called_is_a_name(name):
    assert NAME.validate_python(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "-x", "a/b", "../a", "/a", "a\\b", "C:a", "a\n", "a\0", "a?"]
)
def test_what_leads_elsewhere_is_none(name):
    with pytest.raises(ValidationError, match="expected a valid file name"):
        NAME.validate_python(name)


def test_a_name_that_is_no_utf8_is_known_shown_and_made_readable(tmp_path):
    name = os.fsdecode(b"caf\xe9.txt")
    assert is_text(Path("café"))
    assert not is_text(Path(name))
    assert escape_undecodable(f"{name}, café") == "caf\\udce9.txt, café"
    (tmp_path / name).write_text("content")
    with readable_name(tmp_path / name) as link:
        assert is_text(link)
        assert link.read_text() == "content"
    assert not link.exists()
    with readable_name(tmp_path / "a.txt") as same:
        assert same == tmp_path / "a.txt"
