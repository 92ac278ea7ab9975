"""A review: its faces, its decisions, the manifest and the summary that come of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mien.curation.manifest import Decision, write_manifest
from mien.io.files import atomic_file
from mien.io.text import one_line
from mien.service.problems import Problem
from mien.service.review.decisions import Choice, Decisions
from mien.service.review.evidence import ORDERS, Evidence

_COPIES: Final = 12  # shown beside a face


@dataclass(frozen=True)
class ClassSummary:
    """Decisions about the faces of one class.

    Args:
        label: class in the data set.
        kept: number of faces that keep it.
        relabelled: number of faces by their new class, the most frequent first.
        dropped: number of faces that are dropped.
    """

    label: str
    kept: int
    relabelled: dict[str, int]
    dropped: int

    @property
    def agreement(self) -> float | None:
        """The share of the faces with a label that keep it; None if all were dropped."""
        answered = self.kept + sum(self.relabelled.values())
        return self.kept / answered if answered else None


@dataclass(frozen=True, eq=False)
class Review:
    """Everything that the pages of a review share.

    Args:
        evidence: faces, and what is known of them.
        decisions: decisions.
        manifest: path of the manifest.
        command: command that applies it.
    """

    evidence: Evidence
    decisions: Decisions
    manifest: Path
    command: str

    def about(self) -> dict[str, Any]:
        """Return what holds for the whole review."""
        dataset, evidence = self.evidence.dataset, self.evidence
        rows = evidence.rows.tolist()
        labels = zip(dataset.names, dataset.label_set.colours, strict=True)
        splits = set(dataset.splits[evidence.rows].tolist())
        return {
            "data": one_line(dataset.name),
            "key": f"{dataset.fingerprint} {one_line(str(self.manifest))}",
            "noun": dataset.label_set.noun,
            "labels": [{"name": one_line(name), "colour": colour} for name, colour in labels],
            "splits": [split for split in dataset.split_counts() if split in splits],
            "findings": [
                {"check": one.check, "title": one_line(one.title), "faces": count}
                for one in evidence.found
                if (count := sum(row in one.notes for row in rows))
            ],
            "orders": list(ORDERS) if evidence.reading else ["found"],
            "reader": one_line(evidence.reading.reader) if evidence.reading else None,
            "manifest": one_line(str(self.manifest)),
            "command": one_line(self.command),
        }

    def queue(
        self, *, label: int | None, split: str | None, check: str | None, order: str
    ) -> dict[str, Any]:
        """Return the positions of the faces that pass the filters, and which are decided.

        Args:
            label: label in the data set; None for all.
            split: split; None for all.
            check: check of the audit; None for all.
            order: one of `mien.service.review.evidence.ORDERS`.
        """
        dataset = self.evidence.dataset
        sequence = self.decisions.sequence
        rows = self.evidence.rows.tolist()
        if check is not None:
            named: set[int] = set()
            for one in self.evidence.found:
                named.update(one.notes if one.check == check else ())
            rows = [row for row in rows if row in named]
        if label is not None:
            rows = [row for row in rows if dataset.labels[row] == label]
        if split is not None:
            rows = [row for row in rows if dataset.splits[row] == split]
        rows = self.evidence.ordered(rows, order)
        decided = [row for row in rows if self.decisions.find(row)]
        return {"rows": rows, "decided": decided, "sequence": sequence}

    def face(self, row: int) -> dict[str, Any]:
        """Return all that the page shows of a face.

        Raises:
            Problem: if there is no such face.
        """
        self.check(row)
        evidence, dataset = self.evidence, self.evidence.dataset
        reading = evidence.reading
        place = reading.of.get(row) if reading else None
        copies = evidence.copies(row)
        return {
            **self.state(row),
            "id": one_line(str(dataset.ids[row])),
            "split": str(dataset.splits[row]),
            "label": int(dataset.labels[row]),
            "findings": [
                {"check": found.check, "title": one_line(found.title), "note": one_line(note)}
                for found, note in evidence.findings(row)
            ],
            "votes": evidence.votes(row),
            "reading": (
                None
                if reading is None or place is None
                else [round(float(one), 4) for one in reading.probabilities[place]]
            ),
            "copies": [
                {
                    **self.state(other),
                    "id": one_line(str(dataset.ids[other])),
                    "split": str(dataset.splits[other]),
                    "label": int(dataset.labels[other]),
                    "identical": identical,
                }
                for other, identical in copies[:_COPIES]
            ],
            "more_copies": max(0, len(copies) - _COPIES),
        }

    def state(self, row: int) -> dict[str, Any]:
        """Return what changes about a face: its decision, and the number of the last event."""
        version = self.decisions.version(row)
        choice = self.decisions.find(row)
        decision = choice and {"action": choice.action, "label": choice.label}
        return {"row": row, "decision": decision, "version": version}

    def changes(self, since: int) -> dict[str, Any]:
        """Return the states of the faces that changed after an event."""
        sequence = self.decisions.sequence
        return {
            "sequence": sequence,
            "faces": [self.state(row) for row in self.decisions.changed_since(since)],
        }

    def decide(self, row: int, action: Any, label: int | None, version: int, tab: str) -> None:
        """Take a decision; see `Decisions.decide`.

        Raises:
            Problem: if there is no such face or label, another tab was first, or the disk refuses.
        """
        self.check(row)
        own = int(self.evidence.dataset.labels[row])
        if action != "relabel":
            label = own
        elif label is None or not 0 <= label < len(self.evidence.dataset.names):
            raise Problem("invalid-body", "label: expected the number of one of the labels")
        elif label == own:
            action = "keep"
        self.decisions.decide(Choice(row, action, label, tab), version)

    def check(self, row: int) -> None:
        """Raise a Problem if there is no such face."""
        if not 0 <= row < len(self.evidence.dataset):
            count = len(self.evidence.dataset)
            raise Problem("not-found", f"face {row}: the data set has faces 0 to {count - 1}")

    def write(self) -> int:
        """Write the manifest, and return its number of lines.

        Raises:
            MienError: if it cannot be written.
        """
        decisions = self.lines()
        with atomic_file(self.manifest) as temporary:
            write_manifest(decisions, temporary)
        return len(decisions)

    def lines(self) -> list[Decision]:
        """Return the lines of the manifest: the faces that change, in the order of the images."""
        dataset = self.evidence.dataset
        lines = []
        for choice in self.decisions.in_force():
            if choice.action == "keep":
                continue
            checks = [found.check for found, _ in self.evidence.findings(choice.row)]
            lines.append(
                Decision(
                    id=str(dataset.ids[choice.row]),
                    action=choice.action,
                    split=str(dataset.splits[choice.row]),
                    label=dataset.names[dataset.labels[choice.row]],
                    new_split="",
                    new_label=dataset.names[choice.label] if choice.action == "relabel" else "",
                    because=f"reviewed: {checks[0]}" if checks else "reviewed",
                    duplicate="",
                )
            )
        return lines

    def summary(self) -> list[ClassSummary]:
        """Return the decisions by the class in the data set; classes without any are left out."""
        dataset = self.evidence.dataset
        choices = self.decisions.in_force()
        summary = []
        for label, name in enumerate(dataset.names):
            own = [choice for choice in choices if dataset.labels[choice.row] == label]
            if not own:
                continue
            relabelled: dict[str, int] = {}
            for choice in own:
                if choice.action == "relabel":
                    new = dataset.names[choice.label]
                    relabelled[new] = relabelled.get(new, 0) + 1
            summary.append(
                ClassSummary(
                    name,
                    kept=sum(choice.action == "keep" for choice in own),
                    relabelled=dict(sorted(relabelled.items(), key=lambda item: -item[1])),
                    dropped=sum(choice.action == "drop" for choice in own),
                )
            )
        return summary
