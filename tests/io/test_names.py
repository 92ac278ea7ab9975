from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from mien.io.names import Name

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
