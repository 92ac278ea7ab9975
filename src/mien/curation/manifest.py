"""The manifest of a cleaned data set: every changed image, what was done to it, and why.

Images are identified by their ids in the source; a data set that is written gets new ids.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

from mien.data.dataset import FaceDataset
from mien.data.formats.base import FORMATS
from mien.data.split import SPLITS
from mien.data.write import refuse_layout, write_dataset
from mien.errors import DataError, nearest
from mien.io.files import atomic_file, atomic_folder, refuse_existing
from mien.io.text import csv_cell, read_csv_cell

ACTIONS: Final = ("drop", "merge", "relabel", "move")
_FOLDERS_MANIFEST: Final = "manifest.csv"
_FILES_SUFFIX: Final = ".manifest.csv"
# Paths on Linux may have bytes that are not UTF-8; they are read back unchanged.
_ENCODING_ERRORS: Final = "surrogateescape"


@dataclass(frozen=True)
class Decision:
    """A line of the manifest: the action on one image, and its reason.

    Args:
        id: id of the image in the source.
        action: ``drop``; ``merge``, which drops it in favour of its duplicate; ``relabel``; or
            ``move``.
        split: split of the image in the source.
        label: class of the image in the source.
        new_split: split that it is moved to; empty unless it is moved.
        new_label: class that it gets; empty unless it is relabelled.
        because: reason, in a few words.
        duplicate: id of the duplicate that is the reason; empty if there is none.
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


def positions_by_id(dataset: FaceDataset) -> dict[str, int]:
    """Return the position of each image by its id.

    Raises:
        DataError: if two images have the same id.
    """
    positions = {name: position for position, name in enumerate(dataset.ids.tolist())}
    if len(positions) < len(dataset):
        twice = next(
            name
            for position, name in enumerate(dataset.ids.tolist())
            if positions[name] != position
        )
        raise DataError(
            f"{dataset.name}: two images are called {twice!r}, so a manifest cannot tell them "
            "apart; give the files different names"
        )
    return positions


def write_manifest(decisions: Iterable[Decision], path: Path) -> None:
    """Write decisions as a CSV file, not atomically (see `write_cleaned`); no cell is a formula."""
    with path.open("w", encoding="utf-8", errors=_ENCODING_ERRORS, newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(map(csv_cell, astuple(decision)) for decision in decisions)


def read_manifest(path: Path, dataset: FaceDataset) -> list[Decision]:
    """Read the manifest of a data set, which may have been edited.

    Args:
        path: path of the manifest.
        dataset: data set that the manifest was made from.

    Raises:
        DataError: if the file is not a manifest, or at the first line that is wrong or does not fit
            the data set.
    """
    positions = positions_by_id(dataset)
    seen: dict[tuple[str, str], int] = {}
    decisions = []
    for number, cells in _lines(path):
        try:
            decision = _parse(cells, dataset.names)
            _check_fits(decision, dataset, positions)
            before = seen.setdefault((decision.id, decision.action), number)
            if before != number:
                raise DataError(f"repeats line {before:,}; delete one of them")
        except DataError as error:
            raise DataError(f"{path}: line {number:,} {error}") from None
        decisions.append(decision)
    return decisions


def manifest_path(path: Path, layout: str) -> Path:
    """Return the path of a data set's manifest: inside its folder, or next to its file."""
    if FORMATS[layout].suffix:
        return path.with_name(path.name + _FILES_SUFFIX)
    return path / _FOLDERS_MANIFEST


def write_cleaned(
    dataset: FaceDataset, decisions: Iterable[Decision], path: Path, layout: str
) -> Path:
    """Write a cleaned data set and its manifest, both or neither.

    Args:
        dataset: data set after the decisions were applied.
        decisions: decisions for the manifest.
        path: path of the new file or folder.
        layout: name of the layout.

    Returns:
        Path of the manifest.

    Raises:
        MienError: if the data set or the manifest exists, or cannot be written, or the layout
            keeps no colour.
    """
    manifest = manifest_path(path, layout)
    refuse_layout(dataset, path, layout)
    refuse_existing(path)
    if manifest.parent == path:
        with atomic_folder(path) as temporary:
            FORMATS[layout]().write(dataset, temporary)
            write_manifest(decisions, temporary / manifest.name)
        return manifest
    refuse_existing(manifest)
    with atomic_file(manifest) as temporary:  # renamed last, after the data set is complete
        write_manifest(decisions, temporary)
        write_dataset(dataset, path, layout)
    return manifest


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines below the header with their numbers, without blank ones."""
    try:
        # -sig: spreadsheets write a byte order mark
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
            f"{path}: line {reader.line_num:,} cannot be read as CSV ({error}); is the file "
            "complete?"
        ) from error


def _parse(cells: list[str], names: tuple[str, ...]) -> Decision:
    if len(cells) != len(_COLUMNS):
        raise DataError(f"has {len(cells)} fields, expected {len(_COLUMNS)} ({','.join(_COLUMNS)})")
    decision = Decision(*map(read_csv_cell, cells))
    if decision.action not in ACTIONS:
        raise DataError(
            f"has the action {decision.action[:20]!r}{nearest(decision.action, ACTIONS)}, "
            f"expected {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}"
        )
    _expect_new("new_split", decision.new_split, SPLITS if decision.action == "move" else ())
    _expect_new("new_label", decision.new_label, names if decision.action == "relabel" else ())
    return decision


def _expect_new(column: str, value: str, known: tuple[str, ...]) -> None:
    if known and value not in known:
        hint = nearest(value, known)
        raise DataError(f"has the {column} {value[:20]!r}{hint}, expected {', '.join(known)}")
    if value and not known:
        raise DataError(f"has the {column} {value[:20]!r}, expected none with this action")


def _check_fits(decision: Decision, dataset: FaceDataset, positions: dict[str, int]) -> None:
    position = positions.get(decision.id)
    if position is None:
        raise DataError(
            f"is about {decision.id[:60]!r}, which {dataset.name} does not have; a manifest fits "
            "only the data set that it was made from"
        )
    if decision.label not in dataset.names:
        raise DataError(
            f"has the label {decision.label[:20]!r}, which is none of {dataset.name}'s "
            f"({', '.join(dataset.names)}); read the data set with the labels that it had when "
            "the manifest was made (--labels)"
        )
    split, label = str(dataset.splits[position]), dataset.names[dataset.labels[position]]
    if (decision.split, decision.label) != (split, label):
        raise DataError(
            f"says that {decision.id[:60]!r} is {decision.label[:20]} in {decision.split[:20]}, "
            f"but it is {label} in {split}; is it the manifest of another data set?"
        )
