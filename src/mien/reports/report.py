"""Write the report of a run or a Bundle: ``report.html``, one file that opens anywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from markupsafe import Markup
from matplotlib.figure import Figure

from mien.data.load import Paths
from mien.errors import MienError
from mien.io.files import expand_user, refuse_unwritable_file, write_bytes, write_text
from mien.reports.content import Content, gather
from mien.reports.pages import embed, render_page, to_csv
from mien.reports.sections import SECTIONS, FailedSection, Section
from mien.reports.svg import as_file, to_picture
from mien.runs.run import Run

T = TypeVar("T")


def write_report(
    model: Run | str | Path,
    *,
    data: Paths | None = None,
    split: str = "val",
    out: str | Path | None = None,
    groups: str | Path | None = None,
    with_files: bool = False,
) -> Path:
    """Write the report of a run or a Bundle on one split of a data set, and return its path.

    Args:
        model: run, run directory, ``.onnx`` file or name of a shipped Bundle.
        data: path of the data set, or several of Parquet files; None for the run's own data.
        split: name of the split. An evaluation on it that the run keeps is used without measuring
            again; otherwise the split is evaluated now, and a measurement on a test split is
            logged.
        out: path of the page; by default ``report.html`` in the run, ``report-SPLIT.html`` for
            other splits than val, and ``report-NAME.html`` in the working directory for a Bundle.
        groups: path of a CSV with groups of people, as for `mien.evaluate`.
        with_files: also write each figure as SVG and PNG, each table as CSV and all numbers as
            ``report.json``, to the folder that `figures_folder` names.

    Raises:
        MienError: if a Bundle comes without data, or the split has no images.
        RunError: if the run is damaged.
        BundleError: if there is no such Bundle.
        DataError: if the named data cannot be read.
    """
    run = model.path if isinstance(model, Run) else expand_user(model)
    folder = run if run.is_dir() else Path()
    refuse_unwritable_file(folder / "report.html" if out is None else expand_user(out))
    content = gather(model, data=data, split=split, groups=groups)
    sections = draw_sections(content)
    page = render_report(content, sections)
    files = report_files(sections) if with_files else {}
    path = _default_path(content) if out is None else expand_user(out)
    write_text(path, page)
    for name, file in files.items():
        write_bytes(figures_folder(path) / name, file)
    return path


def figures_folder(page: Path) -> Path:
    """Return the folder for the figures of a page, so that several pages fit into one folder.

    It is ``figures`` for ``report.html``, and ``figures-NAME`` for ``report-NAME.html``.
    """
    name = page.stem.removeprefix("report").lstrip("-")
    return page.parent / (f"figures-{name}" if name else "figures")


@dataclass(frozen=True, eq=False)
class DrawnSection:
    """A section with its figures drawn.

    Args:
        name: name of the section in the registry.
        section: the section.
        figures: figures by name; empty if the section is not complete.
        svgs: the same figures as inline SVG.
    """

    name: str
    section: Section
    figures: dict[str, Figure]
    svgs: dict[str, Markup]


def draw_sections(content: Content) -> list[DrawnSection]:
    """Return every registered section with its figures, in the order of the page.

    A section of an installed plugin that fails is replaced by one that says so: a report comes
    after a training, which must not be lost for it.
    """
    drawn = []
    for name in SECTIONS.names():
        try:
            one = _draw(name, SECTIONS[name](content))
            if SECTIONS.is_plugin(name):
                _try_all(one)
        except Exception as error:  # a plugin may raise any exception
            if not SECTIONS.is_plugin(name):
                raise
            one = DrawnSection(name, FailedSection(content, name, error), {}, {})
        drawn.append(one)
    return sorted(drawn, key=lambda one: (one.section.order, one.name))


def _draw(name: str, section: Section) -> DrawnSection:
    figures = section.figures() if section.complete else {}
    return DrawnSection(
        name, section, figures, {label: embed(figure) for label, figure in figures.items()}
    )


def _try_all(drawn: DrawnSection) -> None:
    """Make everything that a section contributes to a report, to raise its errors early."""
    _render(drawn)
    json.dumps(drawn.section.numbers())
    if drawn.section.complete:
        drawn.section.tables()
        drawn.section.count_faces()


def render_report(content: Content, sections: list[DrawnSection]) -> str:
    """Return the page as HTML, with its figures."""
    shown = [one for one in sections if one.section.complete or one.section.without]
    return render_page(
        "report.html",
        content=content,
        drawn=content.drawn,
        sections=[(one.name, one.section.title, _render(one)) for one in shown],
        faces=sum(one.section.count_faces() for one in shown if one.section.complete),
    )


def _render(drawn: DrawnSection) -> Markup:
    section = drawn.section
    if not section.complete:
        return Markup('<p class="soft">{}</p>').format(section.without)
    return section.render(drawn.svgs)


def report_files(sections: list[DrawnSection]) -> dict[str, bytes]:
    """Return the files of a report by name: figures, tables and numbers."""
    figures: dict[str, tuple[Figure, Markup]] = {}
    tables: dict[str, list[dict[str, Any]]] = {}
    numbers: dict[str, Any] = {}
    for one in sections:
        drawn = {name: (figure, one.svgs[name]) for name, figure in one.figures.items()}
        _merge(figures, drawn, one.name)
        _merge(tables, one.section.tables() if one.section.complete else {}, one.name)
        _merge(numbers, one.section.numbers(), one.name)
    files = {"report.json": (json.dumps(numbers, indent=2) + "\n").encode()}
    for name, (figure, svg) in figures.items():
        files[f"{name}.svg"] = as_file(str(svg)).encode()
        files[f"{name}.png"] = to_picture(figure)
    files |= {f"{name}.csv": to_csv(rows).encode() for name, rows in tables.items() if rows}
    return files


def _merge(whole: dict[str, T], part: dict[str, T], section: str) -> None:
    if taken := sorted(whole.keys() & part.keys()):
        raise MienError(
            f"report section {section!r}: another section already has a figure, table or number "
            f"called {taken[0]!r}; choose another name"
        )
    whole |= part


def _default_path(content: Content) -> Path:
    if content.run is None:
        assert content.bundle is not None
        return Path(f"report-{content.bundle.path.stem}.html")
    if content.split == "val":
        return content.run.report_path
    return content.run.report_path.with_stem(f"report-{content.split}")
