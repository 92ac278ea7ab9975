"""An audit to a table, ``audit.json`` and ``audit.html``, with a contact sheet for each finding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.curation import Audit, Finding
from mien.curation.findings import Item
from mien.data import FaceDataset
from mien.io.files import write_bytes
from mien.reports.pages import TextTable, environment, to_png

_SHOWN: Final = 12  # cases of a finding on its contact sheet
_OF_A_CASE: Final = 4  # images of one case


@dataclass(frozen=True)
class _Face:
    png: str
    label: str
    split: str
    title: str


@dataclass(frozen=True)
class _Case:
    faces: tuple[_Face, ...]
    note: str
    more: int  # images of the case that are not shown


def audit_table(audit: Audit) -> TextTable:
    """Return the findings, a row each, the most serious first."""
    return TextTable(
        f"{audit.name}: {audit.images:,} images ({audit.layout})",
        ("finding", "how serious", "images"),
        tuple(
            (finding.title, finding.severity, f"{finding.count:,}") for finding in audit.findings
        ),
    )


def figures_table(finding: Finding) -> TextTable:
    """Return what was counted or measured for a finding."""
    return TextTable(
        finding.title,
        ("what", "figure"),
        tuple((name, _show(value)) for name, value in finding.figures.items()),
    )


def write_audit(audit: Audit, dataset: FaceDataset, folder: Path) -> Path:
    """Write audit.json and audit.html, which holds faces of the data set; return the page's path.

    Args:
        audit: of ``dataset``.
        dataset: whose images are shown.
        folder: where both go; what is there is replaced.
    """
    rows = {str(name): row for row, name in enumerate(dataset.ids)}
    audit.save(folder / "audit.json")
    page = folder / "audit.html"
    html = (
        environment()
        .get_template("audit.html")
        .render(
            audit=audit,
            counts={
                severity: sum(finding.severity == severity for finding in audit.findings)
                for severity in ("serious", "warning", "note")
            },
            findings=[
                (
                    finding,
                    figures_table(finding) if finding.figures else None,
                    [
                        case
                        for item in _spread(finding.items)
                        if (case := _case(item, dataset, rows)) is not None
                    ],
                    [item.note for item in _spread(finding.items) if not item.images],
                )
                for finding in audit.findings
            ],
            shown=_SHOWN,
        )
    )
    write_bytes(page, html.encode(errors="backslashreplace"))  # names of files can hold any byte
    return page


def _spread(items: tuple[Item, ...]) -> list[Item]:
    """Return a dozen from the clearest case to the least clear, evenly, to judge a finding by."""
    places = np.linspace(0, len(items) - 1, min(_SHOWN, len(items)))
    return [items[place] for place in np.rint(places).astype(int)]


def _case(item: Item, dataset: FaceDataset, rows: dict[str, int]) -> _Case | None:
    if not item.images:
        return None
    shown = item.images[:_OF_A_CASE]
    faces = tuple(
        _Face(to_png(dataset.images[rows[one.id]]), one.label, one.split, one.id) for one in shown
    )
    return _Case(faces, item.note, len(item.images) - len(shown))


def _show(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.1e}"
    return str(value)
