"""The manifest of a cleaned data set: every image that was touched, what was done to it, and why.

Images are called by their ids in the source: a data set that is written gets new ones.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

from mien.data.dataset import FaceDataset
from mien.data.formats.folders import fill_folder
from mien.data.split import SPLITS
from mien.data.write import write_dataset
from mien.errors import DataError, nearest
from mien.io.files import atomic_file, atomic_folder, refuse_existing
from mien.labels import EMOTIONS

ACTIONS: Final = ("drop", "merge", "relabel", "move")
_FOLDERS_MANIFEST: Final = "manifest.csv"
_FILES_SUFFIX: Final = ".manifest.csv"
# Paths on Linux may hold bytes that are no UTF-8; they come back as they went.
_ENCODING_ERRORS: Final = "surrogateescape"


@dataclass(frozen=True)
class Decision:
    """What is done to one image, and why: a line of the manifest.

    Args:
        id: the image's, in the source.
        action: ``drop``; ``merge``, which drops it in favour of its duplicate; ``relabel``;
            ``move``.
        split: that it has in the source.
        label: the emotion that it has in the source.
        new_split: that a move gives it; otherwise empty.
        new_label: that a relabel gives it; otherwise empty.
        because: the reason, in a few words.
        duplicate: id of the image that the reason speaks of; empty where there is none.
    """

    id: str
    action: str
    split: str
    label: str
    new_split: str
    new_label: str
    because: str
    duplicate: str


_COLUMNS: Final = tuple(field.name for field in fields(Decision))


def rows_by_id(dataset: FaceDataset) -> dict[str, int]:
    """Return the position of each image by its id.

    Raises:
        DataError: if two images have the same id.
    """
    rows = {name: row for row, name in enumerate(dataset.ids.tolist())}
    if len(rows) < len(dataset):
        twice = next(name for row, name in enumerate(dataset.ids.tolist()) if rows[name] != row)
        raise DataError(
            f"{dataset.name}: two images are called {twice!r}, so a manifest cannot tell them "
            "apart; give the files different names"
        )
    return rows


def write_manifest(decisions: Iterable[Decision], path: Path) -> None:
    """Write decisions as CSV. Not atomic by itself: see `write_cleaned`."""
    with path.open("w", encoding="utf-8", errors=_ENCODING_ERRORS, newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(astuple(decision) for decision in decisions)


def read_manifest(path: Path, dataset: FaceDataset) -> list[Decision]:
    """Read decisions on a data set, written by mien and perhaps edited since.

    Raises:
        DataError: if the file is no manifest, or at its first line that is wrong, or speaks of
            something else than is in the data set.
    """
    rows = rows_by_id(dataset)
    seen: dict[tuple[str, str], int] = {}
    decisions = []
    for number, cells in _lines(path):
        try:
            decision = _parse(cells)
            _check_fits(decision, dataset, rows)
            before = seen.setdefault((decision.id, decision.action), number)
            if before != number:
                raise DataError(f"repeats line {before:,}; delete one of them")
        except DataError as error:
            raise DataError(f"{path}: line {number:,} {error}") from None
        decisions.append(decision)
    return decisions


def manifest_path(path: Path, layout: str) -> Path:
    """Return where the manifest of a cleaned data set goes: inside a folder, beside a file."""
    if layout == "folders":
        return path / _FOLDERS_MANIFEST
    return path.with_name(path.name + _FILES_SUFFIX)


def write_cleaned(
    dataset: FaceDataset, decisions: Iterable[Decision], path: Path, layout: str
) -> Path:
    """Write a cleaned data set and its manifest, both or neither.

    Args:
        dataset: to which the decisions were applied.
        decisions: what was done to it.
        path: the file or folder to make.
        layout: ``csv``, ``folders`` or ``parquet``.

    Returns:
        Where the manifest is.

    Raises:
        MienError: if there is something at either place, or it cannot be written.
    """
    manifest = manifest_path(path, layout)
    refuse_existing(path)
    if layout == "folders":
        with atomic_folder(path) as temporary:
            fill_folder(dataset, temporary)
            write_manifest(decisions, temporary / manifest.name)
        return manifest
    refuse_existing(manifest)
    with atomic_file(manifest) as temporary:  # takes its name last, when the data set is there
        write_manifest(decisions, temporary)
        write_dataset(dataset, path, layout)
    return manifest


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the lines below the header with their numbers, none that is blank."""
    try:
        # -sig: spreadsheets put a mark in front
        with path.open(encoding="utf-8-sig", errors=_ENCODING_ERRORS, newline="") as handle:
            reader = csv.reader(handle, strict=True)
            header = next(reader, [])
            if tuple(name.strip() for name in header) != _COLUMNS:
                shown = ",".join(header)[:60].encode("unicode_escape", "replace").decode()
                raise DataError(
                    f"{path}: the header is '{shown}', expected {','.join(_COLUMNS)}; "
                    "is this a manifest of mien data clean, saved with commas?"
                )
            for cells in reader:
                if any(cells):
                    yield reader.line_num, cells
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num:,} cannot be read as CSV ({error}); is it whole?"
        ) from error


def _parse(cells: list[str]) -> Decision:
    if len(cells) != len(_COLUMNS):
        raise DataError(f"has {len(cells)} fields, expected {len(_COLUMNS)} ({','.join(_COLUMNS)})")
    decision = Decision(*cells)
    if decision.action not in ACTIONS:
        raise DataError(
            f"has the action {decision.action[:20]!r}{nearest(decision.action, ACTIONS)}, "
            f"expected {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}"
        )
    _expect_new("new_split", decision.new_split, SPLITS if decision.action == "move" else ())
    _expect_new("new_label", decision.new_label, EMOTIONS if decision.action == "relabel" else ())
    return decision


def _expect_new(column: str, value: str, known: tuple[str, ...]) -> None:
    if known and value not in known:
        hint = nearest(value, known)
        raise DataError(f"has the {column} {value[:20]!r}{hint}, expected {', '.join(known)}")
    if value and not known:
        raise DataError(f"has the {column} {value[:20]!r}, expected none with this action")


def _check_fits(decision: Decision, dataset: FaceDataset, rows: dict[str, int]) -> None:
    row = rows.get(decision.id)
    if row is None:
        raise DataError(
            f"is about {decision.id[:60]!r}, which {dataset.name} does not have; a manifest goes "
            "with the data set that it was made from"
        )
    split, label = str(dataset.splits[row]), EMOTIONS[dataset.labels[row]]
    if (decision.split, decision.label) != (split, label):
        raise DataError(
            f"says that {decision.id[:60]!r} is {decision.label[:20]} in {decision.split[:20]}, "
            f"but it is {label} in {split}; is it the manifest of other data?"
        )
