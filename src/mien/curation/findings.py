"""The findings of an audit, as plain data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence, Sized
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mien.data import FaceDataset
from mien.io.files import write_bytes

Severity = Literal["serious", "warning", "note"]
SEVERITIES: Final[tuple[Severity, ...]] = ("serious", "warning", "note")
Figures = dict[str, int | float | str]

MIN_P: Final = 0.001  # below it, splits differ more than by chance
WHY_LABELS_MATTER: Final = (
    "A network learns wrong labels, and a score counts right answers as wrong because of them."
)


def count_of(things: Sized | int, one: str, many: str) -> str:
    """Return a number of things with their name, in the singular or the plural."""
    count = things if isinstance(things, int) else len(things)
    return f"{count:,} {one if count == 1 else many}"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class ImageRef(_Record):
    """An image: its id, its split and the name of its class."""

    id: str
    split: str
    label: str


class Item(_Record):
    """One case of a finding: a group of images, a pair, or a single one."""

    images: tuple[ImageRef, ...]
    note: str = ""


class Finding(_Record):
    """One result of a check.

    Args:
        check: name of the check, for programs, such as ``identical-across-splits``.
        severity: ``serious`` if it makes scores wrong, ``warning`` if it may, ``note`` otherwise.
        title: finding in one line.
        count: number of images concerned.
        why: reason why the finding matters.
        what_to_do: advice on how to fix it.
        verdict: sentence about the whole data set with which the audit begins; empty if the
            finding gives none.
        figures: numbers that were counted or measured, by name.
        items: cases of the finding, the clearest first.
    """

    check: str
    severity: Severity
    title: str
    count: int
    why: str
    what_to_do: str
    verdict: str = ""
    figures: Figures = {}
    items: tuple[Item, ...] = ()


class Audit(_Record):
    """The result of an audit.

    Args:
        name: name of the data set.
        layout: name of its layout.
        images: number of images that could be read.
        fingerprint: fingerprint of the data set.
        split_rule: description of how the splits were made.
        split_counts: number of images in each split.
        findings: findings, the most serious first.
        fine: one line for each check that passed.
        not_checked: one line for each check that was impossible, with the reason.
        notes: lines about how the images were read, such as classes that were left out.
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
    notes: tuple[str, ...] = ()

    def worst(self) -> Severity | None:
        """Return the severity of the most serious finding; None without findings."""
        return self.findings[0].severity if self.findings else None

    def verdict(self) -> str:
        """Return the result in a sentence: the leak, or how many findings there are."""
        for finding in self.findings:
            if finding.verdict:
                return finding.verdict
        found = Counter(finding.severity for finding in self.findings)
        if found["serious"]:
            return f"{self.findings[0].title}, which makes scores wrong."
        if found["warning"]:
            warnings = count_of(found["warning"], "thing", "things")
            return f"Nothing makes scores wrong for certain; {warnings} may."
        return "Nothing was found that makes scores wrong."

    def to_plain(self) -> dict[str, Any]:
        """Return the audit as plain data; without ``notes`` if there are none."""
        plain = self.model_dump(mode="json", exclude=None if self.notes else {"notes"})
        return {**plain, "verdict": self.verdict()}

    def save(self, path: Path) -> None:
        """Write the audit as JSON."""
        text = json.dumps(self.to_plain(), indent=1, ensure_ascii=False) + "\n"
        # File names may have bytes that are not UTF-8, which JSON has to escape.
        write_bytes(path, text.encode(errors="backslashreplace"))


def make_audit(
    dataset: FaceDataset,
    findings: Iterable[Finding],
    *,
    fine: Iterable[str] = (),
    not_checked: Iterable[str] = (),
) -> Audit:
    """Return the audit of a data set, with findings sorted by severity, then by count.

    Args:
        dataset: audited data set.
        findings: findings in any order.
        fine: one line for each check that passed.
        not_checked: one line for each check that was impossible.
    """
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
        notes=dataset.notes,
    )


def refer(dataset: FaceDataset, rows: Iterable[int | np.intp]) -> tuple[ImageRef, ...]:
    """Return references to the images at some positions."""
    return tuple(
        ImageRef(
            id=str(dataset.ids[row]),
            split=str(dataset.splits[row]),
            label=dataset.names[dataset.labels[row]],
        )
        for row in rows
    )


def list_words(words: Sequence[str]) -> str:
    """Return words as an enumeration: ``train, val and test``."""
    return f"{', '.join(words[:-1])} and {words[-1]}"


def show_p(value: float) -> str:
    """Return a p-value as text."""
    return f"{value:.2g}" if value >= 1e-6 else "below 0.000001"
