"""FER+ votes: what ten people saw in an image, and how far FER-2013's label agrees with them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.data.formats.csv import open_csv
from mien.data.rows import Rows
from mien.data.split import COMPETITION_WORDS, SPLITS, split_of
from mien.errors import DataError
from mien.labels import EMOTIONS, FERPLUS_VOTES, VOTES_OF_EMOTIONS, parse_emotion

TIE: Final = "tie"
NO_MAJORITY: Final = -1
_NO_EXPRESSION: Final = ("unknown", "NF")  # votes that name no expression to compare a label with
_OTHERS: Final = tuple(set(range(len(FERPLUS_VOTES))) - set(VOTES_OF_EMOTIONS))
_HEADER: Final = ("Usage", "Image name", *FERPLUS_VOTES)
_MOST: Final = int(np.iinfo(np.int8).max)  # votes of one kind that a data set can hold


@dataclass(frozen=True)
class LabelAgreement:
    """The images of one label, or of all: how many were voted on, compared, and agree.

    Args:
        images: that have votes.
        compared: that have a majority, and it names an expression.
        agreeing: whose majority is the label.
        share: of agreeing among compared; None where nothing could be compared.
        majorities: images by FER+ majority, in the order of `mien.labels.FERPLUS_VOTES`, then
            those with a tie.
    """

    images: int
    compared: int
    agreeing: int
    share: float | None
    majorities: dict[str, int]


@dataclass(frozen=True)
class Agreement:
    """How FER-2013's labels and FER+'s votes agree.

    Args:
        overall: all images with votes.
        by_label: the same by emotion, in the labels' order.
        mean_voters: votes that an image has, on average.
        mean_agreeing_voters: votes that its most frequent vote has, on average.
    """

    overall: LabelAgreement
    by_label: dict[str, LabelAgreement]
    mean_voters: float
    mean_agreeing_voters: float


def find_majorities(votes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return each image's most frequent vote; NO_MAJORITY for a tie and for no votes at all.

    Shape: votes (N, 10) -> int64 (N,), positions in `mien.labels.FERPLUS_VOTES`.
    """
    most = votes.max(1, keepdims=True)
    clear = np.count_nonzero(votes == most, axis=1) == 1
    return np.where(clear, votes.argmax(1), NO_MAJORITY).astype(np.int64)


def majority_labels(votes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the label that most voters gave each image; NO_MAJORITY where there is none.

    A label has the majority where its emotion got more votes than each of the six others, and no
    fewer than contempt, unknown and NF each.

    Shape: votes (N, 10) -> int64 (N,), positions in `mien.labels.EMOTIONS`.
    """
    emotions, others = votes[:, VOTES_OF_EMOTIONS], votes[:, _OTHERS]
    most = emotions.max(1, keepdims=True)
    clear = np.count_nonzero(emotions == most, axis=1) == 1
    named = (others <= most).all(1)
    return np.where(clear & named, emotions.argmax(1), NO_MAJORITY).astype(np.int64)


def measure_agreement(votes: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> Agreement | None:
    """Return how often the majority of votes is the label; None where no image has a vote.

    A majority is the vote with the most counts. Images with a tie, and those whose majority is
    unknown or not a face, are not compared; contempt is, and agrees with no label.

    Shape: votes (N, 10), zeros where an image has none; labels (N,).
    """
    voted = votes.any(1)
    if not voted.any():
        return None
    votes, labels = votes[voted], labels[voted]
    majorities = find_majorities(votes)
    return Agreement(
        overall=_agreement(majorities, labels),
        by_label={
            emotion: _agreement(majorities[labels == label], labels[labels == label])
            for label, emotion in enumerate(EMOTIONS)
        },
        mean_voters=float(votes.sum(1, dtype=np.int64).mean()),
        mean_agreeing_voters=float(votes.max(1).mean()),
    )


def _agreement(majorities: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> LabelAgreement:
    counts = {
        name: int(np.count_nonzero(majorities == vote)) for vote, name in enumerate(FERPLUS_VOTES)
    }
    tied = int(np.count_nonzero(majorities == NO_MAJORITY))
    compared = int(np.count_nonzero(name_an_expression(majorities)))
    agreeing = int(np.count_nonzero(labels_of(majorities) == labels))
    return LabelAgreement(
        images=len(labels),
        compared=compared,
        agreeing=agreeing,
        share=agreeing / compared if compared else None,
        majorities={**counts, TIE: tied},
    )


def labels_of(majorities: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the label that each majority means; NO_MAJORITY where it means none. Shape: (N,)."""
    # NO_MAJORITY, -1, takes the last place
    return np.array([*(_label_of(name) for name in FERPLUS_VOTES), NO_MAJORITY])[majorities]


def name_an_expression(majorities: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which majorities a label can be compared with: contempt is one, a tie none."""
    none = [FERPLUS_VOTES.index(name) for name in _NO_EXPRESSION]
    return np.asarray((majorities != NO_MAJORITY) & ~np.isin(majorities, none))


def _label_of(vote: str) -> int:
    """Return the label that a FER+ vote means; NO_MAJORITY for contempt, unknown and NF."""
    try:
        return parse_emotion(vote)
    except DataError:
        return NO_MAJORITY


@dataclass(frozen=True)
class VoteFile:
    """The votes of Microsoft's ``fer2013new.csv``: a row for each row of fer2013.csv, in its order.

    Shape: counts int8 (N, 10), in the order of `mien.labels.FERPLUS_VOTES`; splits str (N,).
    """

    path: Path
    counts: npt.NDArray[np.int8]
    splits: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.counts)

    def split_counts(self) -> dict[str, int]:
        """Return the number of rows in each split that has any, in the order of SPLITS."""
        counts = {split: int(np.count_nonzero(self.splits == split)) for split in SPLITS}
        return {split: count for split, count in counts.items() if count}


def read_votes(path: Path) -> VoteFile:
    """Read ``fer2013new.csv``, gzipped or not.

    Image names are not used: those that FER+ left out have none, and the numbers in the others
    fall behind the rows' own (row 61 is called ``fer0000059.png``). A row's place says whose it is.

    Raises:
        DataError: if the header is another, or for the first row that is wrong.
    """
    counts, splits = [], []
    for number, line in enumerate(_vote_lines(path), start=1):
        fields = [field.strip(' "\t') for field in line.split(",")]
        try:
            split, votes = _parse_votes(fields)
        except DataError as error:
            raise DataError(
                f"{path}: row {number:,} {error} (row 1 is the first below the header)"
            ) from None
        splits.append(split)
        counts.append(votes)
    if not counts:
        raise DataError(f"{path}: no rows below the header, expected the votes of fer2013.csv")
    return VoteFile(path, np.array(counts, np.int8), np.array(splits, "<U5"))


def join_votes(rows: Rows, votes: VoteFile, name: str) -> Rows:
    """Return a CSV's rows with their votes, found by the row number in each id.

    Rows that were skipped keep their number, so the votes of the others stay theirs. That both
    files have as many rows, and every row the same Usage, is checked; where the CSV has no Usage
    column, only the count can be, and the order inside a split never can.

    Args:
        rows: what `mien.data.formats.csv.read_csv` gave, in any order.
        votes: the votes.
        name: the CSV's, for people.

    Raises:
        DataError: if the files do not fit; the first row that differs is named.
    """
    numbers = np.array([int(row_id.removeprefix("row ")) for row_id in rows.ids.tolist()])
    there_are = len(rows) + len(rows.skipped)
    both = numbers <= len(votes)
    stated, voted = rows.splits[both], votes.splits[numbers[both] - 1]
    differ = (stated != "") & (stated != voted)
    first = int(numbers[both][differ].min()) if differ.any() else 0
    said = ""
    if first:
        usage = COMPETITION_WORDS[str(rows.splits[numbers == first][0])]
        other = COMPETITION_WORDS[str(votes.splits[first - 1])]
        said = f"row {first:,} is {other} here and {usage} there"
    expected = "expected the votes of the same rows in the same order"
    if there_are != len(votes):
        said = said or f"row {min(there_are, len(votes)) + 1:,} is in one of them only"
        raise DataError(
            f"{votes.path}: has {len(votes):,} rows, and {name} has {there_are:,} ({said}); "
            f"{expected}"
        )
    if first:
        raise DataError(f"{votes.path}: does not fit {name}: {said}; {expected}")
    return replace(rows, votes=votes.counts[numbers - 1])


def _vote_lines(path: Path) -> Iterator[str]:
    """Give the lines below the header, none that is blank."""
    try:
        with open_csv(path) as handle:
            header = handle.readline(65_536).decode("utf-8-sig", "replace").strip()
            names = [name.strip(' "\t').lower() for name in header.split(",")]
            if names != [name.lower() for name in _HEADER]:
                shown = header[:60].encode("unicode_escape").decode()  # a picture's bytes, say
                raise DataError(
                    f"{path}: the header is '{shown}', expected {','.join(_HEADER)}; "
                    "is this FER+'s fer2013new.csv?"
                )
            for line in handle:
                if text := line.decode("utf-8", "replace").strip():
                    yield text
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}); is it whole?") from error


def _parse_votes(fields: list[str]) -> tuple[str, list[int]]:
    if len(fields) != len(_HEADER):
        raise DataError(f"has {len(fields)} fields, expected {len(_HEADER)}")
    split = split_of(fields[0])
    if split is None:
        raise DataError(
            f"has the Usage {fields[0][:20]!r}, expected {', '.join(COMPETITION_WORDS.values())}"
        )
    votes = fields[2:]
    for name, vote in zip(FERPLUS_VOTES, votes, strict=True):
        if not (vote.isdecimal() and vote.isascii() and len(vote) <= 3 and int(vote) <= _MOST):
            raise DataError(f"has {vote[:20]!r} votes for {name}, expected 0 to {_MOST}")
    return split, [int(vote) for vote in votes]
