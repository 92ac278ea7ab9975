"""Lists of images: a CSV with the path and the label of each image, and optionally its split."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TextIO

from mien.data.dataset import FaceDataset
from mien.data.formats._fields import (
    LABEL_COLUMNS,
    SPLIT_COLUMNS,
    find_column,
    fitting_sets,
    other_columns,
    parse_usage,
)
from mien.data.formats._files import is_file, subfolders, visible_files
from mien.data.formats._image_files import ImageFile, ImageFilesFormat, Listing, mark_drawn
from mien.data.formats.base import FORMATS, Source, first_bytes
from mien.data.formats.folders import list_files
from mien.data.split import split_in_name, split_of
from mien.errors import DataError
from mien.images.crop import RELEASE_EVERY, encode_png
from mien.io.limits import LINE_KB, ROWS
from mien.io.mapped import release_pages
from mien.io.text import csv_cell, read_csv_cell

_PATH_COLUMNS: Final = (
    "path", "image", "img", "file", "filename", "file_name", "pth", "subdirectory_filepath",
    "filepath", "image_path", "img_path",
)  # fmt: skip
_SUFFIXES: Final = (".csv", ".tsv", ".txt")
_DELIMITERS: Final = ",\t;"
_ENCODING: Final = {"encoding": "utf-8-sig", "errors": "surrogateescape"}
_LIST: Final = "list.csv"
_PROBED: Final = 20  # rows by which the folder of the images is found
_SHOWN: Final = 60  # characters of a path that errors show


@dataclass(frozen=True)
class _Columns:
    """Positions of the columns; the list is ``delimiter``-separated."""

    path: int
    label: int
    split: int | None
    delimiter: str
    note: str = ""  # about columns that are not read, though they could be


@dataclass(frozen=True)
class _Row:
    """One row of a list; ``number`` counts the rows below the header, from 1."""

    number: int
    path: str
    label: str
    split: str


@FORMATS.register("image_list")
class ImageListFormat(ImageFilesFormat):
    """One list of images, several of different splits, or a folder that holds them.

    Row numbers count through all lists, in the order of their names. A split that no column states
    comes from the name of the list (``val.csv``), else from the folders in the image's path.
    """

    expects = "a list of images (path,label)"
    order = 25  # before csv, which accepts every file called .csv
    keeps_drawn = True

    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return files with a header that names paths and labels, or those in a folder.

        Raises:
            DataError: if a folder has several lists that are not of different splits.
        """
        root = paths[0]
        if len(paths) == 1 and root.is_dir():
            files = [path for suffix in _SUFFIXES for path in visible_files(root, f"*{suffix}")]
            lists = [path for path in files if _columns(path)]
            if not lists or _has_class_folders(root):
                return None
            splits = [split_in_name(path.stem) for path in lists]
            if len(lists) > 1 and len({*splits} - {""}) < len(lists):
                names = ", ".join(path.name for path in lists)
                raise DataError(f"{root}: has {len(lists)} lists ({names}); name one of them")
            name = root.absolute().name
        else:
            if not all(path.is_file() and _columns(path) for path in paths):
                return None
            lists, root = list(paths), root.parent
            name = lists[0].stem if len(lists) == 1 else root.absolute().name
        source = Source(name, tuple(sorted(lists)), root)
        images = tuple(image.path for image in self.list_images(source).images)
        return replace(source, files=(*source.files, *images))

    def list_images(self, source: Source) -> Listing:
        """Return the listed images, and a line about each row that names none."""
        listing = Listing()
        seen: dict[Path, str] = {}
        start = 0
        for table in source.files:
            columns = _columns(table)
            if columns is None:
                break  # the images follow
            listing.notes += [columns.note] if columns.note else []
            rows = list(_rows(table, columns))
            folder = _image_folder(table, rows[:_PROBED])
            split_of_list = split_in_name(table.stem)
            for row in rows:
                where = f"{table}: row {row.number:,}"
                path = folder / row.path
                try:
                    if not row.path or "\0" in row.path:
                        raise DataError("names no image")
                    if path.suffix.lower() in _SUFFIXES:
                        raise DataError(f"names {row.path[:_SHOWN]}, which is no image")
                    if path in seen:
                        raise DataError(f"names {row.path[:_SHOWN]}, as {seen[path]} does")
                    split = parse_usage(row.split) if row.split else split_of_list
                except DataError as error:
                    listing.bad.append(f"{where} {error}")
                    continue
                seen[path] = f"row {row.number:,} of {table.name}"
                split = split or _split_in_path(row.path)
                image = ImageFile(path, row.label, split, start + row.number, where)
                listing.images.append(image)
            start += len(rows)
        if not listing.images:
            more = f"; {listing.bad[0]}" if listing.bad else ""
            raise DataError(f"{source.files[0]}: lists no image{more}")
        return listing

    def write(self, dataset: FaceDataset, path: Path) -> None:
        """Write ``list.csv`` (path,label,split), and ``images/<number>.png``, without loss."""
        (path / "images").mkdir()
        with (path / _LIST).open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(("path", "label", "split"))
            for number, (image, label, split) in enumerate(
                zip(dataset.images, dataset.labels, dataset.splits, strict=True), start=1
            ):
                name = f"images/{number:06}.png"
                (path / name).write_bytes(encode_png(image))
                writer.writerow((name, csv_cell(dataset.names[label]), split))
                if number % RELEASE_EVERY == 0:
                    release_pages(dataset.images)
        if dataset.drawn:
            mark_drawn(path)


def _columns(path: Path) -> _Columns | None:
    """Return the columns of a list of images; None if the file is none."""
    if path.suffix.lower() not in _SUFFIXES:
        return None
    start = first_bytes(path).decode("utf-8-sig", "replace")
    header = (start.splitlines() or [""])[0]
    delimiter = max(_DELIMITERS, key=header.count)
    names = [name.strip(' "\t').lower() for name in header.split(delimiter)]
    paths, labels = find_column(names, _PATH_COLUMNS), find_column(names, LABEL_COLUMNS)
    if paths is None or labels is None or "pixels" in names:
        return None
    splits = find_column(names, SPLIT_COLUMNS)
    note = other_columns(
        path.name, names, {"labels": (labels, LABEL_COLUMNS), "splits": (splits, SPLIT_COLUMNS)}
    )
    return _Columns(paths, labels, splits, delimiter, note)


def _rows(table: Path, columns: _Columns) -> Iterator[_Row]:
    """Yield the rows of a list, without blank ones; fields that a row lacks are empty."""
    try:
        with table.open(newline="", **_ENCODING) as handle:  # type: ignore[call-overload]
            reader = csv.reader(_lines(handle, table), delimiter=columns.delimiter)
            next(reader, None)
            number = 0
            for cells in reader:
                if not any(map(str.strip, cells)):
                    continue
                number += 1
                ROWS.check(number, table)
                fields = [
                    cells[at].strip() if at is not None and at < len(cells) else ""
                    for at in (columns.path, columns.label, columns.split)
                ]
                path, word, split = map(read_csv_cell, fields)
                yield _Row(number, path.replace("\\", "/"), word, split)
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{table}: cannot be read ({reason})") from error


def _lines(handle: TextIO, table: Path) -> Iterator[str]:
    """Yield the lines of a list; one that is too long is an error."""
    most = LINE_KB.value << 10
    for number in itertools.count(1):
        line = handle.readline(most + 1)
        LINE_KB.check(len(line) / 1024, f"{table}: line {number:,}")
        if not line:
            return
        yield line


def _image_folder(table: Path, rows: list[_Row]) -> Path:
    """Return the folder that the paths in a list are relative to: its own, or one inside it."""
    own = table.parent
    inner = [folder for near in subfolders(own) for folder in (near, *subfolders(near))]
    for folder in (own, *inner):
        if any(row.path and is_file(folder / row.path) for row in rows):
            return folder
    return own


def _split_in_path(path: str) -> str:
    """Return the split that a folder in a path states; empty if none does."""
    return next((split for folder in path.split("/")[:-1] if (split := split_of(folder))), "")


def _has_class_folders(root: Path) -> bool:
    """Return whether a folder has class folders with names that a built-in label set knows.

    Some data sets have both these and lists; the folders are read unless a list is named.
    """
    with suppress(DataError):
        return bool(fitting_sets({image.word for image in list_files(root).images}))
    return False
