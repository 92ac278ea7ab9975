"""An audit as a table, ``audit.json`` and ``audit.html``, with a contact sheet per finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.curation import Audit, Finding
from mien.curation.findings import Item
from mien.data import FaceDataset
from mien.io.files import write_bytes
from mien.reports.commands import clean_and_train
from mien.reports.pages import TextTable, render_page
from mien.types import Crop

_SHOWN: Final = 12  # cases on the contact sheet of a finding
_IMAGES_PER_CASE: Final = 4
_CLEAN: Final = "mien data clean"  # in the advice of every finding that it mends


@dataclass(frozen=True, eq=False)
class _Face:
    image: Crop
    label: str
    split: str
    title: str


@dataclass(frozen=True)
class _Case:
    faces: tuple[_Face, ...]
    note: str
    more: int  # number of images of the case that are not shown


def audit_table(audit: Audit) -> TextTable:
    """Return the findings as a table, the most serious first."""
    return TextTable(
        f"{audit.name}: {audit.images:,} images ({audit.layout})",
        ("finding", "severity", "images"),
        tuple(
            (finding.title, finding.severity, f"{finding.count:,}") for finding in audit.findings
        ),
    )


def figures_table(finding: Finding) -> TextTable:
    """Return the numbers of a finding as a table."""
    return TextTable(
        finding.title,
        ("quantity", "value"),
        tuple((name, _show(value)) for name, value in finding.figures.items()),
    )


def mending_commands(
    audit: Audit, paths: Sequence[Path], options: Mapping[str, object], *, skip_bad: bool
) -> list[str]:
    """Return commands that mend what was found and can be mended; none if nothing can.

    Args:
        audit: audit of the data set.
        paths: paths of the data set.
        options: options that it was read with, such as ``--labels``; None for one not given.
        skip_bad: True if images of it were left out, because they cannot be used.
    """
    if not any(_CLEAN in finding.what_to_do for finding in audit.findings):
        return []
    return clean_and_train(paths, options, skip_bad=skip_bad)


def write_audit(
    audit: Audit, dataset: FaceDataset, folder: Path, *, commands: Sequence[str] = ()
) -> Path:
    """Write audit.json and audit.html, which holds faces of the data set; return the page's path.

    Args:
        audit: audit of the data set.
        dataset: data set, for the images of the findings.
        folder: folder of the files; files of the same names are replaced.
        commands: commands that mend what was found (`mending_commands`).
    """
    rows = {str(name): row for row, name in enumerate(dataset.ids)}
    audit.save(folder / "audit.json")
    page = folder / "audit.html"
    html = render_page(
        "audit.html",
        audit=audit,
        drawn=dataset.drawn,
        counts=Counter(finding.severity for finding in audit.findings),
        findings=[
            (
                finding,
                figures_table(finding) if finding.figures else None,
                [_case(item, dataset, rows) for item in _spread(finding.items) if item.images],
                [item.note for item in _spread(finding.items) if not item.images],
            )
            for finding in audit.findings
        ],
        shown=_SHOWN,
        commands=commands,
    )
    write_bytes(page, html.encode(errors="backslashreplace"))  # file names can hold any byte
    return page


def _spread(items: tuple[Item, ...]) -> list[Item]:
    """Return up to a dozen cases, evenly from the clearest to the least clear."""
    places = np.linspace(0, len(items) - 1, min(_SHOWN, len(items)))
    return [items[place] for place in np.rint(places).astype(int)]


def _case(item: Item, dataset: FaceDataset, rows: dict[str, int]) -> _Case:
    shown = item.images[:_IMAGES_PER_CASE]
    faces = tuple(
        _Face(dataset.images[rows[one.id]], one.label, one.split, one.id) for one in shown
    )
    return _Case(faces, item.note, len(item.images) - len(shown))


def _show(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.1e}"
    return str(value)
