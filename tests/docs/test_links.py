"""Every link and anchor of the repository's pages leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import mien

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md"))
)


def tool(name: str):
    """Return a module of tools/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SITE = tool("site")


def anchors_of(path: Path) -> set[str]:
    """Return the anchors of the headings of a page, as hosts of repositories make them."""
    found, fenced = set(), False
    for line in path.read_text(encoding="utf-8").splitlines():
        if SITE.FENCE.match(line):
            fenced = not fenced
        elif not fenced and line.startswith("#"):
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line.lstrip("# ").lower())
            found.add(re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_exists(page):
    for _, found in SITE.links((ROOT / page).read_text(encoding="utf-8")):
        target, _, anchor = found["target"].partition("#")
        if found["target"].startswith("#"):
            assert anchor in anchors_of(ROOT / page), found["target"]
        elif SITE.is_local(target):
            path = ROOT / SITE.linked_path(page, target)
            assert path.exists(), found["target"]
            assert not anchor or anchor in anchors_of(path), found["target"]


def test_links_are_found_outside_of_code_alone():
    text = '[a](b.md#c) `[d](e.md)`\n```sh\n[f](g.md)\n```\n<img src="h.svg"> [`i`](j.md)\n'
    assert [found["target"] for _, found in SITE.links(text)] == ["b.md#c", "h.svg", "j.md"]
    assert len(PAGES) > 40


def test_links_out_of_docs_are_moved_with_their_files():
    assert SITE.moved_links("[a](../../benchmarks/results/cost.csv)", "docs/how-to/x.md") == (
        "[a](../benchmarks/results/cost.csv)\n"
    )
    assert SITE.moved_links("[a](docs/how-to/serve.md#in)", "CONTRIBUTING.md") == (
        "[a](how-to/serve.md#in)\n"
    )
    assert SITE.moved_links("[a](docs/adr/)", "README.md") == "[a](adr/README.md)\n"
    assert SITE.moved_links("[a](https://b.c/d.md) [e](#f)", "README.md") == (
        "[a](https://b.c/d.md) [e](#f)\n"
    )


def test_every_public_name_is_in_the_reference_once():
    pages = ROOT.glob("docs/reference/python/*.md")
    named = re.findall(r"^::: mien\.(\w+)$", "\n".join(map(Path.read_text, pages)), re.MULTILINE)
    assert sorted(named) == sorted(mien.__all__)


def test_every_recipe_and_decision_is_listed():
    listed = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    for path in ROOT.glob("docs/adr/0*.md"):
        title = path.read_text(encoding="utf-8").splitlines()[0].partition(". ")[2]
        assert f"[{title}]({path.name})" in listed
