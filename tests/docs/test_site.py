"""The site of the documentation: built without a warning, complete, and without other hosts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

import mien

pytest.importorskip("material", reason="not installed: pip install 'mien[docs]'")
pytest.importorskip("mkdocstrings")
pytest.importorskip("jupytext")

ROOT = Path(__file__).parents[2]
# Attributes by which a page loads something by itself; others are links for people.
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The links, the anchors and the loaded files of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.add(given["href"])
        if address := given.get(LOADS.get(tag, "")):
            self.loads.add(address)


def build(out: Path, **environment: str) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", out]
    built = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr, built.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> dict[str, Page]:
    """Build the site; return its pages by their path in it."""
    out = tmp_path_factory.mktemp("site")
    build(out, GITHUB_REPOSITORY="someone/mien")
    Page.root = out
    return {path.relative_to(out).as_posix(): Page(path) for path in out.rglob("*.html")}


def test_every_link_of_the_site_leads_somewhere(site):
    assert len(site) > 45
    for name, page in site.items():
        if name == "404.html":  # whose links are absolute, as it is shown at any address
            continue
        for link in page.links | page.loads:
            if re.match(r"[a-z]+:", link):
                continue
            address, _, anchor = unquote(link).partition("#")
            target = (Page.root / name).parent / address if address else Page.root / name
            target = Path(os.path.normpath(target))
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), (name, link)
            if anchor and target.suffix == ".html":
                anchors = site[target.relative_to(Page.root).as_posix()].anchors
                assert anchor in anchors, (name, link)


def test_no_page_loads_anything_from_another_host(site):
    for name, page in site.items():
        assert page.loads, name
        assert not [one for one in page.loads if re.match(r"[a-z]+:|//", one)], name
    for path in Page.root.rglob("*.css"):
        assert "url(http" not in path.read_text(encoding="utf-8"), path


def test_every_public_name_is_documented(site):
    pages = [page for name, page in site.items() if name.startswith("reference/python/")]
    anchors = set().union(*(page.anchors for page in pages))
    assert {f"mien.{name}" for name in mien.__all__} <= anchors
    assert "mien.Reader.stream" in anchors


def test_commands_and_their_options_are_documented(site):
    text = (Page.root / "reference/commands.html").read_text(encoding="utf-8")
    for words in ("mien data audit", "mien predict", "--timeline", "--keep-duplicates-together"):
        assert words in text


def test_the_search_finds_pages_without_a_server(site):
    text = (Page.root / "search/search_index.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("var __index = "))
    found = {one["location"].partition("#")[0] for one in index["docs"] if "YuNet" in one["text"]}
    assert {"how-to/serve.html", "reference/reading.html"} <= found
    assert "assets/iframe-worker-shim.js" in site["index.html"].loads


def test_the_site_of_a_public_repository_opens_the_notebook_in_colab(site):
    links = site["examples/walkthrough.html"].links
    address = "https://colab.research.google.com/github/someone/mien/blob/main/examples/"
    assert f"{address}walkthrough.ipynb" in links
