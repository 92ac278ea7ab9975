from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mien.errors import _EXTRAS, install_hint

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
DISTRIBUTIONS = {
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
    "sklearn": "scikit-learn",
    "tomli_w": "tomli-w",
}
BROUGHT_BY_OTHERS = {"h11", "markupsafe", "starlette"}  # uvicorn, jinja2, fastapi


def brought(extra: str) -> set[str]:
    """The packages that an extra names, itself or by another extra."""
    requirements = map(Requirement, PROJECT["optional-dependencies"][extra])
    names = set()
    for one in requirements:
        names |= brought(*one.extras) if one.name == "mien" else {one.name}
    return names


@pytest.mark.parametrize("module", sorted(_EXTRAS.keys() - BROUGHT_BY_OTHERS))
def test_the_hint_names_an_extra_that_brings_the_package(module):
    extras = install_hint(f"{module}.part").removeprefix("pip install 'mien[").removesuffix("]'")
    assert DISTRIBUTIONS.get(module, module) in set().union(*map(brought, extras.split(",")))


def test_every_other_package_comes_with_train():
    assert install_hint("torch") == install_hint(None) == "pip install 'mien[train]'"
    assert brought("report") < brought("train")
    assert "torch" not in brought("report")
