"""What an audit says, as plain data: JSON and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mien.data import FaceDataset
from mien.io.files import write_bytes
from mien.labels import EMOTIONS

Severity = Literal["serious", "warning", "note"]
SEVERITIES: Final[tuple[Severity, ...]] = ("serious", "warning", "note")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class ImageRef(_Record):
    """One image: where it came from, its split and its emotion."""

    id: str
    split: str
    label: str


class Item(_Record):
    """The images that one case of a finding is about: a group, a pair, or one."""

    images: tuple[ImageRef, ...]
    note: str = ""


class Finding(_Record):
    """One thing that is wrong, or worth knowing.

    Args:
        check: the check's name, for programs: ``identical-across-splits``.
        severity: serious findings make scores wrong; warnings may; notes are good to know.
        title: what was found, in a line.
        count: how many images it concerns.
        why: why it matters.
        what_to_do: about it.
        figures: what was counted or measured.
        items: the cases, the clearest first.
    """

    check: str
    severity: Severity
    title: str
    count: int
    why: str
    what_to_do: str
    figures: dict[str, int | float | str] = {}
    items: tuple[Item, ...] = ()


class Audit(_Record):
    """All findings on a data set, the most serious first.

    Args:
        name: the data set's.
        layout: how it is stored.
        images: how many could be read.
        fingerprint: of all of it.
        split_rule: how the splits came about.
        split_counts: images in each split.
        findings: what was found.
        fine: what was looked for and not found, a line each.
        not_checked: what could not be looked for, and why, a line each.
    """

    mien_audit: Literal[1] = 1
    name: str
    layout: str
    images: int
    fingerprint: str
    split_rule: str
    split_counts: dict[str, int]
    findings: tuple[Finding, ...]
    fine: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()

    def worst(self) -> Severity | None:
        """Return the severity of the most serious finding, None where there is none."""
        return self.findings[0].severity if self.findings else None

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        text = json.dumps(self.model_dump(), indent=1, ensure_ascii=False) + "\n"
        # Names of files can hold bytes that are no UTF-8; these are escaped, as JSON does it.
        write_bytes(path, text.encode(errors="backslashreplace"))


def make_audit(
    dataset: FaceDataset,
    findings: Iterable[Finding],
    *,
    fine: Iterable[str] = (),
    not_checked: Iterable[str] = (),
) -> Audit:
    """Return findings as an audit of a data set, in order of severity and then of size."""
    return Audit(
        name=dataset.name,
        layout=dataset.layout,
        images=len(dataset),
        fingerprint=dataset.fingerprint,
        split_rule=dataset.split_rule,
        split_counts=dataset.split_counts(),
        findings=tuple(
            sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), -one.count))
        ),
        fine=tuple(fine),
        not_checked=tuple(not_checked),
    )


def refer(dataset: FaceDataset, rows: Iterable[int | np.intp]) -> tuple[ImageRef, ...]:
    """Return images by their positions."""
    return tuple(
        ImageRef(
            id=str(dataset.ids[row]),
            split=str(dataset.splits[row]),
            label=EMOTIONS[dataset.labels[row]],
        )
        for row in rows
    )
