"""FER+ votes: read them, join them to FER-2013, and measure how labels agree with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from mien.data.fer2013 import FERPLUS_VOTES, USAGES
from mien.data.formats._csv_rows import next_line, open_csv
from mien.data.formats._fields import parse_usage
from mien.data.formats._files import readable
from mien.data.rows import Rows
from mien.data.split import count_splits
from mien.errors import DataError
from mien.io.limits import ROWS
from mien.labels import FER2013, LabelSet
from mien.types import Array, Integers, Labels, Mask, Strings, Votes

TIE: Final = "tie"
NO_MAJORITY: Final = -1
_NO_EXPRESSION: Final = ("unknown", "NF")  # a label cannot be compared with these
_HEADER: Final = ("Usage", "Image name", *FERPLUS_VOTES)
_MAX_COUNT: Final = int(np.iinfo(np.int8).max)


@dataclass(frozen=True)
class LabelAgreement:
    """Agreement of labels and votes over the images of one label, or of all.

    Args:
        images: number of images with votes.
        compared: number of images with a majority that names an expression.
        agreeing: number of images whose majority is their label.
        share: share of the compared images whose majority is their label, 0 to 1; None if none is
            compared.
        majorities: number of images by majority vote, in the order of
            `mien.data.fer2013.FERPLUS_VOTES`, then those with a tie.
    """

    images: int
    compared: int
    agreeing: int
    share: float | None
    majorities: dict[str, int]


@dataclass(frozen=True)
class Agreement:
    """Agreement of FER-2013's labels with FER+'s votes.

    Args:
        overall: agreement over all images with votes.
        by_label: agreement by label, in the order of `mien.labels.FER2013`.
        mean_voters: mean number of votes for an image.
        mean_agreeing_voters: mean number of votes for an image's most frequent vote.
    """

    overall: LabelAgreement
    by_label: dict[str, LabelAgreement]
    mean_voters: float
    mean_agreeing_voters: float


def find_majorities(votes: Array) -> Integers:
    """Return each image's most frequent vote; NO_MAJORITY for a tie or no votes.

    Shape: votes (N, 10) -> int64 (N,), positions in `mien.data.fer2013.FERPLUS_VOTES`.
    """
    most = votes.max(1, keepdims=True)
    clear = np.count_nonzero(votes == most, axis=1) == 1
    return np.where(clear, votes.argmax(1), NO_MAJORITY).astype(np.int64)


def majority_labels(votes: Array) -> Labels:
    """Return the label with the most votes for each image; NO_MAJORITY if there is none.

    A label has the majority if it has more votes than each of FER-2013's six others, and at least
    as many as each of the votes that FER-2013 has no label for.

    Shape: votes (N, 10) -> int64 (N,), positions in `mien.labels.FER2013`.
    """
    columns = vote_columns(FER2013)
    assert columns is not None
    named, others = votes[:, columns], np.delete(votes, columns, axis=1)
    most = named.max(1, keepdims=True)
    clear = np.count_nonzero(named == most, axis=1) == 1
    clear &= (others <= most).all(1)
    return np.where(clear, named.argmax(1), NO_MAJORITY).astype(np.int64)


def vote_columns(labels: LabelSet) -> tuple[int, ...] | None:
    """Return the position in FERPLUS_VOTES of each label's vote; None if a label has none."""
    columns = {labels.find(vote): column for column, vote in enumerate(FERPLUS_VOTES)}
    if not all(label in columns for label in range(len(labels))):
        return None
    return tuple(columns[label] for label in range(len(labels)))


def relabel_by_votes(rows: Rows, labels: LabelSet, name: str) -> Rows:
    """Return the images whose majority vote is a label, with that label, and a note on the others.

    Args:
        rows: images with FER+ votes.
        labels: labels to give, each of which has votes (`vote_columns`).
        name: name of the data set in errors.

    Raises:
        DataError: if no image has such a majority.

    Source: Barsoum et al., 2016, "majority voting"; deviation: images with a tie are left out.
    """
    assert rows.votes is not None
    majorities = find_majorities(rows.votes)
    found = labels_of(majorities, labels)
    voted = rows.votes.any(1)
    reasons = {
        "a tie": voted & (majorities == NO_MAJORITY),
        "no votes": ~voted,
        **{
            f"the majority {vote!r}": majorities == column
            for column, vote in enumerate(FERPLUS_VOTES)
            if labels.find(vote) is None
        },
    }
    counts = {reason: int(mask.sum()) for reason, mask in reasons.items() if mask.any()}
    kept = found != NO_MAJORITY
    words = ", ".join(f"{count:,} with {reason}" for reason, count in counts.items())
    if not kept.any():
        raise DataError(f"{name}: no image has a majority of FER+ votes ({words})")
    note = f"labels are the majority of FER+ votes; {int((~kept).sum()):,} images left out: {words}"
    labelled = replace(rows, labels=found, notes=[*rows.notes, *([note] if counts else [])])
    return labelled.take(kept) if counts else labelled


def measure_agreement(votes: Array, labels: Labels) -> Agreement | None:
    """Return how often labels agree with the majority of votes; None if no image has votes.

    The majority is the most frequent vote. Images with a tie, or a majority of "unknown" or "NF",
    are not compared; one for the expression that FER-2013 has no label for agrees with no label.

    Shape: votes (N, 10), zeros for an image without votes; labels (N,), FER-2013's.
    """
    voted = votes.any(1)
    if not voted.any():
        return None
    votes, labels = votes[voted], labels[voted]
    majorities = find_majorities(votes)
    return Agreement(
        overall=_agreement(majorities, labels),
        by_label={
            name: _agreement(majorities[labels == label], labels[labels == label])
            for label, name in enumerate(FER2013.names)
        },
        mean_voters=float(votes.sum(1, dtype=np.int64).mean()),
        mean_agreeing_voters=float(votes.max(1).mean()),
    )


def _agreement(majorities: Integers, labels: Labels) -> LabelAgreement:
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


def labels_of(majorities: Integers, labels: LabelSet = FER2013) -> Labels:
    """Return the label of each majority vote; NO_MAJORITY if it has none. Shape: (N,) -> (N,)."""
    found = [labels.find(vote) for vote in FERPLUS_VOTES]
    by_vote = [NO_MAJORITY if label is None else label for label in found]
    return np.array([*by_vote, NO_MAJORITY])[majorities]  # NO_MAJORITY, -1, indexes the last one


def name_an_expression(majorities: Integers) -> Mask:
    """Return which majorities can be compared with a label: those that name an expression."""
    none = [FERPLUS_VOTES.index(name) for name in _NO_EXPRESSION]
    return np.asarray((majorities != NO_MAJORITY) & ~np.isin(majorities, none))


@dataclass(frozen=True)
class VoteFile:
    """The votes in Microsoft's ``fer2013new.csv``: one row for each row of fer2013.csv, in order.

    Shape: counts int8 (N, 10); splits str (N,).

    Args:
        path: path of the file.
        counts: votes, in the order of `mien.data.fer2013.FERPLUS_VOTES`.
        splits: name of each row's split.
    """

    path: Path
    counts: Votes
    splits: Strings

    def __len__(self) -> int:
        return len(self.counts)

    def split_counts(self) -> dict[str, int]:
        """Return the number of rows in each split that has any, in the order of SPLITS."""
        return count_splits(self.splits)


@readable()
def read_votes(path: Path) -> VoteFile:
    """Read ``fer2013new.csv``, gzipped or not.

    Rows are identified by their position, not by the image names: images that FER+ left out have no
    name, and the numbers in the names lag behind the rows (row 61 is called ``fer0000059.png``).

    Raises:
        DataError: if the file cannot be read or has another header, or at the first bad row.
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
    """Return a data set's rows with their votes, joined by row number.

    Both files must have the same number of rows, and each row the same Usage. Without a column
    Usage only the number of rows is checked; the order within a split cannot be checked at all.

    Args:
        rows: rows of FER-2013's original CSV, in any order; skipped rows keep their number.
        votes: votes for every row of that CSV.
        name: name of the data set in errors.

    Raises:
        DataError: if the files do not belong together; the message names the first row that
            differs.
    """
    numbers = rows.rows
    num_rows = len(rows) + len(rows.skipped)
    both = numbers <= len(votes)
    stated, voted = rows.splits[both], votes.splits[numbers[both] - 1]
    differ = (stated != "") & (stated != voted)
    first = int(numbers[both][differ].min()) if differ.any() else 0
    difference = ""
    if first:
        usage = USAGES[str(rows.splits[numbers == first][0])]
        other = USAGES[str(votes.splits[first - 1])]
        difference = f"row {first:,} is {other} here and {usage} there"
    expected = "expected the votes of the same rows in the same order"
    if num_rows != len(votes):
        difference = difference or f"row {min(num_rows, len(votes)) + 1:,} is in only one of them"
        raise DataError(
            f"{votes.path}: has {len(votes):,} rows, and {name} has {num_rows:,} ({difference}); "
            f"{expected}"
        )
    if first:
        raise DataError(f"{votes.path}: does not fit {name}: {difference}; {expected}")
    return replace(rows, votes=votes.counts[numbers - 1])


def _vote_lines(path: Path) -> Iterator[str]:
    """Yield the lines below the header, without blank ones."""
    with open_csv(path) as handle:
        header = next_line(handle, path, 0).decode("utf-8-sig", "replace").strip()
        names = [name.strip(' "\t').lower() for name in header.split(",")]
        if names != [name.lower() for name in _HEADER]:
            shown = header[:60].encode("unicode_escape").decode()  # may be binary
            raise DataError(
                f"{path}: the header is '{shown}', expected {','.join(_HEADER)}; "
                "is this FER+'s fer2013new.csv?"
            )
        number = 0
        while line := next_line(handle, path, number + 1):
            if text := line.decode("utf-8", "replace").strip():
                number += 1
                ROWS.check(number, path)
                yield text


def _parse_votes(fields: list[str]) -> tuple[str, list[int]]:
    if len(fields) != len(_HEADER):
        raise DataError(f"has {len(fields)} fields, expected {len(_HEADER)}")
    split = parse_usage(fields[0])
    votes = fields[2:]
    for name, vote in zip(FERPLUS_VOTES, votes, strict=True):
        if not (vote.isdecimal() and vote.isascii() and len(vote) <= 3 and int(vote) <= _MAX_COUNT):
            raise DataError(f"has {vote[:20]!r} votes for {name}, expected 0 to {_MAX_COUNT}")
    return split, [int(vote) for vote in votes]
