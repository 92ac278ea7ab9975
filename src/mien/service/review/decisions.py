"""What a reviewer has decided about the faces of a data set: the journal's meaning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

from mien.curation.manifest import positions_by_id
from mien.data import FaceDataset
from mien.errors import DataError
from mien.service.problems import Problem
from mien.service.review.journal import Journal

Action = Literal["keep", "drop", "relabel"]
ACTIONS: Final = ("keep", "drop", "relabel")


@dataclass(frozen=True)
class Choice:
    """A decision about one face.

    Args:
        row: position of the image.
        action: what is to be done with it.
        label: label that it gets; its own one unless it is relabelled.
        tab: id of the browser's tab that decided; empty if an earlier run of the server was told.
    """

    row: int
    action: Action
    label: int
    tab: str = ""


class Decisions:
    """All decisions of a review, which several tabs share; for one thread alone.

    Args:
        journal: journal, whose lines are read at once.
        dataset: data set that is reviewed.

    Raises:
        DataError: if a line of the journal does not fit the data set.
    """

    def __init__(self, journal: Journal, dataset: FaceDataset) -> None:
        self._journal, self._dataset = journal, dataset
        self._positions = positions_by_id(dataset)
        self._choices: dict[int, Choice] = {}  # in force, by number, in order
        self._of: dict[int, list[int]] = {}  # numbers of the choices in force of each row
        self._touched: list[int] = [-1]  # row of each event; their numbers count from 1
        self._versions: dict[int, int] = {}
        for line, event in journal.lines:
            try:
                self._replay(event)
            except (KeyError, TypeError, ValueError):
                raise DataError(
                    f"{journal.path}: line {line:,} does not fit the review of {dataset.name}; "
                    "mend or delete it"
                ) from None

    @property
    def sequence(self) -> int:
        """The number of the last event."""
        return len(self._touched) - 1

    def find(self, row: int) -> Choice | None:
        """Return the decision in force about a face; None if there is none."""
        numbers = self._of.get(row)
        return self._choices[numbers[-1]] if numbers else None

    def version(self, row: int) -> int:
        """Return the number of the last event about a face; 0 if there was none."""
        return self._versions.get(row, 0)

    def changed_since(self, sequence: int) -> list[int]:
        """Return the positions of the faces that events after this one were about."""
        return list(dict.fromkeys(self._touched[max(sequence, 0) + 1 :]))

    def in_force(self) -> list[Choice]:
        """Return the decisions about all faces that were decided, in the order of the images."""
        return [self._choices[self._of[row][-1]] for row in sorted(self._of)]

    def decide(self, choice: Choice, version: int) -> None:
        """Put a decision on the disk, and in force.

        Args:
            choice: decision.
            version: number of the last event about the face that the reviewer knew of.

        Raises:
            Problem: if another tab decided about the face since, or the disk refuses.
        """
        if self.version(choice.row) != version:
            raise Problem(
                "decided-elsewhere", "another tab has changed this face meanwhile: look again"
            )
        event: dict[str, Any] = {"id": str(self._dataset.ids[choice.row]), "action": choice.action}
        if choice.action == "relabel":
            event["label"] = self._dataset.names[choice.label]
        self._write(event)
        self._enact(choice)

    def undo(self, tab: str) -> int | None:
        """Take back the last decision of a tab, or of an earlier run of the server.

        Args:
            tab: id of the tab. What other open tabs decided stays.

        Returns:
            Position of the face; None if there is nothing to take back.

        Raises:
            Problem: if the disk refuses.
        """
        for number, choice in reversed(self._choices.items()):
            if choice.tab in ("", tab):
                self._write({"undo": number})
                self._revoke(number)
                return choice.row
        return None

    def _write(self, event: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            self._journal.append({"n": self.sequence + 1, **event, "at": now})
        except OSError as error:
            raise Problem(
                "not-written",
                f"the decision is not on the disk ({error.strerror or error}): make room or mend "
                "the access, and decide again",
            ) from None

    def _replay(self, event: dict[str, Any]) -> None:
        if event["n"] != self.sequence + 1:
            raise ValueError
        if "undo" in event:
            self._revoke(event["undo"])
            return
        row, action = self._positions[event["id"]], event["action"]
        if action not in ACTIONS:
            raise ValueError
        label = int(self._dataset.labels[row])
        if action == "relabel":
            label = self._dataset.names.index(event["label"])
        self._enact(Choice(row, cast(Action, action), label))

    def _enact(self, choice: Choice) -> None:
        self._touch(choice.row)
        self._choices[self.sequence] = choice
        self._of.setdefault(choice.row, []).append(self.sequence)

    def _revoke(self, number: int) -> None:
        row = self._choices.pop(number).row
        self._of[row].remove(number)
        if not self._of[row]:
            del self._of[row]
        self._touch(row)

    def _touch(self, row: int) -> None:
        self._touched.append(row)
        self._versions[row] = self.sequence
