"""Every registered section, for every kind of content: it renders, and has what it names."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from jinja2 import UndefinedError
from tests.reports.page import Page

from mien.errors import MienError
from mien.reports.content import Content, gather
from mien.reports.report import DrawnSection, draw_sections, render_report, report_files
from mien.reports.sections import SECTIONS, Section
from mien.runs.run import Run

KINDS = ("run", "bundle", "run without its data", "run with nothing but its record")


@pytest.fixture(scope="session")
def contents(content, reported, tmp_path_factory) -> dict[str, Content]:
    """Content of every kind."""
    folder = tmp_path_factory.mktemp("contents")
    bundle = shutil.copy(reported.bundle_path, folder / "alone.onnx")
    shutil.copytree(reported.path, folder / "run")
    run = Run(folder / "run")
    run.update(data=run.record.data.model_copy(update={"paths": (str(folder / "gone"),)}))
    shutil.copytree(run.path, folder / "bare")
    bare = Run(folder / "bare")
    for path in (bare.bundle_path, bare.history_path, bare.evaluation_path("val")):
        path.unlink()
    return {
        "run": replace(content, evaluation=content.evaluation.with_groups(halves(content))),
        "bundle": gather(bundle, data=reported.record.data.paths, split="val"),
        "run without its data": gather(run, data=None, split="val"),
        "run with nothing but its record": gather(bare, data=None, split="val"),
    }


def halves(content: Content) -> dict[str, np.ndarray]:
    """Two groups, of every other face."""
    return {"half": np.resize(["first", "second"], content.evaluation.protocol.images)}


@pytest.fixture(scope="session")
def drawn(contents) -> dict[str, dict[str, DrawnSection]]:
    """Sections by name, by the kind of content."""
    return {
        kind: {one.name: one for one in draw_sections(content)}
        for kind, content in contents.items()
    }


@pytest.mark.parametrize("name", SECTIONS.names())
@pytest.mark.parametrize("kind", KINDS)
def test_a_section_shows_all_its_figures_or_says_what_it_lacks(drawn, kind, name):
    one = drawn[kind][name]
    if not one.section.complete:
        assert not one.figures
        return
    body = str(one.section.render(one.svgs))  # an undefined variable would raise
    for svg in one.svgs.values():
        assert body.count(svg) == 1
    assert body.count("<svg") == body.count('role="img" aria-label=') == len(one.figures)
    assert Page(body).images_without_words == 0
    assert one.section.count_faces() <= Page(body).images


@pytest.mark.parametrize("name", SECTIONS.names())
def test_a_section_has_figures_and_tables_for_a_run(drawn, name):
    one = drawn["run"][name]
    assert one.section.complete
    named = set(re.findall(r'figures\["([\w-]+)"\]', one.section.template))
    assert named == set(one.figures)
    for rows in one.section.tables().values():
        assert rows
        assert all(row.keys() == rows[0].keys() for row in rows)


@pytest.mark.parametrize("name", SECTIONS.names())
def test_the_numbers_of_a_section_always_have_the_same_keys(drawn, name):
    keys = set()
    for sections in drawn.values():
        numbers = json.loads(json.dumps(sections[name].section.numbers()))
        keys.add(frozenset(numbers))
    assert len(keys) == 1


def test_sections_have_different_titles_and_places():
    sections = SECTIONS.all().values()
    assert all(issubclass(section, Section) for section in sections)
    assert len({section.title for section in sections}) == len(sections)
    assert len({section.order for section in sections}) == len(sections)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_names_the_sections_that_it_shows(contents, drawn, kind):
    sections = list(drawn[kind].values())
    text = render_report(contents[kind], sections)
    for one in sections:
        lacking = not one.section.complete
        assert (f'<h2 id="{one.name}">' in text) == bool(not lacking or one.section.without)
        assert not lacking or one.section.without in text


PLUGIN = """
from mien.reports.sections import Section

class Mine(Section):
    title = "Mine"
    order = 15
    def numbers(self):
        return {"mine": self.content.split}
"""


@pytest.fixture
def registered(monkeypatch):
    """Register a section as long as the test runs."""
    monkeypatch.setattr(SECTIONS, "_registered", dict(SECTIONS.all()))
    return SECTIONS.add


def test_a_section_from_outside_appears_with_its_own_template(
    registered, content, tmp_path, monkeypatch
):
    (tmp_path / "my_section.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    registered("mine", importlib.import_module("my_section").Mine)
    sections = draw_sections(content)
    with pytest.raises(MienError, match=r"my_section\.html: no such template"):
        render_report(content, sections)
    (tmp_path / "my_section.html").write_text("<p>{{ section.title }} & {{ content.name }}</p>")
    text = render_report(content, sections)
    assert '<h2 id="mine">Mine</h2>\n<p>Mine & quick</p>' in text
    order = re.findall(r'<h2 id="(\w+)">', text)
    assert order[:3] == ["summary", "mine", "training"]
    assert json.loads(report_files(sections)["report.json"])["mine"] == "val"


def test_a_template_can_be_given_as_text(registered, content):
    class Given(Section):
        title = "Given"
        template = "<p>{{ content.split }}</p>"

    registered("given", Given)
    text = render_report(content, draw_sections(content))
    assert '<h2 id="given">Given</h2>\n<p>val</p>' in text


def test_what_is_no_section_is_refused(registered):
    with pytest.raises(MienError, match=r"report section 'odd': .*dict.* is not a subclass of"):
        registered("odd", dict)


def test_a_plugins_section_that_fails_leaves_the_others(registered, content, monkeypatch):
    class Broken(Section):
        title = "Broken"
        template = "{{ section.nothing_of_the_kind }}"

    registered("broken", Broken)
    monkeypatch.setattr(SECTIONS, "_built_in", frozenset({"reproduce"}))
    own = {name: SECTIONS._registered[name] for name in ("reproduce", "broken")}
    monkeypatch.setattr(SECTIONS, "_registered", own)
    with pytest.raises(UndefinedError):  # a defect of mien's own is not hidden
        render_report(content, draw_sections(content))
    monkeypatch.setattr(SECTIONS, "_plugins", {"broken": None})
    sections = draw_sections(content)
    text = render_report(content, sections)
    assert "which failed: UndefinedError: " in text
    assert text.count("<h2 ") == len(SECTIONS.names())
    assert "report.json" in report_files(sections)


def test_names_of_files_cannot_be_taken_twice(registered, content):
    class Again(Section):
        title = "Again"
        template = ""

        def numbers(self):
            return {"history": []}

    registered("again", Again)
    with pytest.raises(MienError, match=r"report section 'again': another section.*'history'"):
        report_files(draw_sections(content))


def test_every_need_is_a_field_of_the_content(content):
    for section in SECTIONS.all().values():
        assert all(hasattr(content, need) for need in section.needs)
        if section.needs:
            lacking = replace(content, **dict.fromkeys(section.needs))
            assert not section(lacking).complete
