"""Any path to a FaceDataset: sniff the layout, read it or take it from the cache, settle splits."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mien.data import cache
from mien.data.dataset import FaceDataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.formats.csv import open_csv, read_csv
from mien.data.formats.folders import list_faces, read_folders
from mien.data.formats.parquet import read_parquet
from mien.data.rows import Rows
from mien.data.split import assign_splits
from mien.data.votes import join_votes, read_votes
from mien.errors import DataError
from mien.io.files import expand_user


@dataclass(frozen=True)
class _Source:
    layout: str
    name: str
    files: list[Path]
    read: Callable[..., Rows]
    root: str = ""  # that ids are relative to, where they are
    refused: tuple[str, ...] = ()  # what is no face, which also decides what reading gives


Paths = str | Path | Sequence[str | Path]


def as_paths(data: Paths) -> tuple[Path, ...]:
    """Return one path or several as a tuple, ``~`` written out."""
    given = [data] if isinstance(data, str | Path) else data
    return tuple(expand_user(path) for path in given)


def load_dataset(
    *paths: str | Path,
    fractions: Sequence[float] | None = None,
    validation_share: float = 0.0,
    make_val: bool = True,
    keep_duplicates_together: bool = False,
    seed: int = 0,
    skip_bad: bool = False,
    use_cache: bool = True,
    votes: str | Path | None = None,
) -> FaceDataset:
    """Load a data set from a CSV, a folder or Parquet files, whichever ``paths`` turn out to be.

    Args:
        paths: one CSV file, one folder (of emotion folders, or holding one CSV or Parquet files),
            or several Parquet files, which together are one data set.
        fractions: shares of train, val and test; all images are pooled and split by them,
            stratified. By default the files' own splits are kept (see
            `mien.data.split.assign_splits` for files that name none).
        validation_share: share of the files' train split that becomes val, stratified; what the
            files call val or test is then test, and chooses nothing.
        make_val: make a tenth of the train split val where the files name none; else the data set
            may have no val split.
        keep_duplicates_together: keep images of the same picture (`mien.data.duplicates.groups`) in
            one split, where any are made.
        seed: of what is split afresh.
        skip_bad: leave out what cannot be used and list it in ``skipped``, instead of raising.
        use_cache: keep the arrays in the user's cache (``MIEN_CACHE``) and take them from there.
        votes: FER+'s ``fer2013new.csv``, joined by row to the competition's CSV, and to that alone.

    Returns:
        The data set; the same images, labels and splits whichever layout they were stored in.

    Raises:
        DataError: if a path is missing or in no known layout, or something in it is wrong.
    """
    source = _sniff(list(as_paths(paths)))
    rows = _read(source, skip_bad=skip_bad, use_cache=use_cache)
    if votes is not None:
        rows = _with_votes(rows, source, expand_user(votes))
    if fractions is None:
        rows = _without_unstated(rows, source, skip_bad=skip_bad)
    groups = find_duplicates(rows.images).groups if keep_duplicates_together else None
    splits, rule = assign_splits(
        rows.splits,
        rows.labels,
        fractions=fractions,
        validation_share=validation_share,
        make_val=make_val,
        groups=groups,
        seed=seed,
    )
    rows = replace(rows, splits=splits).in_split_order()
    return FaceDataset(
        images=rows.images,
        labels=rows.labels,
        splits=rows.splits,
        ids=rows.ids,
        votes=rows.votes,
        name=source.name,
        layout=source.layout,
        split_rule=rule,
        skipped=tuple(rows.skipped),
    )


def _read(source: _Source, *, skip_bad: bool, use_cache: bool) -> Rows:
    if not use_cache:
        return source.read(skip_bad=skip_bad).in_split_order()
    key = cache.cache_key(source.files, source.root, source.layout, skip_bad, source.refused)
    rows = cache.load(key)
    if rows is None:
        rows = source.read(skip_bad=skip_bad).in_split_order()
        cache.save(key, rows)
    return rows


def _with_votes(rows: Rows, source: _Source, path: Path) -> Rows:
    """Join FER+ votes. After the cache, whose entries are of the data set's own files alone."""
    if source.layout != "csv":
        raise DataError(
            f"{path}: FER+ votes go by the row numbers of the competition's CSV, which "
            f"{source.name} ({source.layout}) does not keep; name the CSV itself, or convert it "
            "with its votes to Parquet, which keeps them"
        )
    return join_votes(rows, read_votes(path), source.name)


def _without_unstated(rows: Rows, source: _Source, *, skip_bad: bool) -> Rows:
    """Leave out images without a split where others have one: a row that was cut off, say."""
    unstated = rows.splits == ""
    if unstated.all() or not unstated.any():
        return rows
    lines = [
        f"{source.name}: {name} states no split, while others do" for name in rows.ids[unstated]
    ]
    if not skip_bad:
        raise DataError(
            f"{lines[0]} ({len(lines):,} of {len(rows):,}); mend it, or leave it out by --skip-bad"
        )
    return rows.take(~unstated, skipped=lines)


def _sniff(paths: list[Path]) -> _Source:
    if not paths:
        raise DataError("no data set was named, expected the path of a CSV, a folder or Parquet")
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: no such file or folder; is the path right?")
    path = paths[0]
    if len({path.resolve() for path in paths}) < len(paths):
        raise DataError(f"{path}: named twice; its images would count twice")
    if len(paths) > 1:
        if all(p.is_file() and p.suffix == ".parquet" for p in paths):
            return _parquet(path.absolute().parent.name, paths)
        raise DataError(
            f"{len(paths)} paths, expected one, or several Parquet files that are one data set"
        )
    return _sniff_folder(path) if path.is_dir() else _sniff_file(path)


def _sniff_file(path: Path) -> _Source:
    with path.open("rb") as handle:
        start = handle.read(512)
    if start[:4] == b"PAR1":
        return _parquet(path.stem, [path])
    if start[:2] == b"PK":
        raise DataError(f"{path}: a zip archive; unzip it and name the folder or the CSV in it")
    gzipped, has_header = start[:2] == b"\x1f\x8b", b"pixels" in start.lower()
    if gzipped or has_header or path.name.lower().endswith(".csv"):
        name = path.name.split(".")[0]
        return _Source("csv", name, [path], partial(read_csv, path))
    raise DataError(
        f"{path}: not a known layout, expected a CSV (emotion,pixels,Usage), a Parquet file "
        "or a folder of emotion folders"
    )


def _sniff_folder(path: Path) -> _Source:
    if parquet := _files(path, "*.parquet") or _files(path, "data/*.parquet"):
        return _parquet(path.absolute().name, parquet)
    tables = [table for table in _files(path, "*.csv*") if _has_pixels(table)]
    if len(tables) == 1:
        return _sniff_file(tables[0])
    if tables:
        names = ", ".join(table.name for table in tables)
        raise DataError(f"{path}: {len(tables)} CSV files ({names}); name the one that is meant")
    faces, unknown = list_faces(path)
    files = [face.path for face in faces]
    read = partial(read_folders, path)
    root = path.absolute()
    return _Source("folders", root.name, files, read, str(root), tuple(unknown))


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return files, in order, but none that is hidden: those are other programs' leftovers."""
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    return [path for path in found if not path.name.startswith(".")]


def _has_pixels(table: Path) -> bool:
    """Return whether a CSV holds faces; data sets of folders often have one that holds none."""
    try:
        with open_csv(table) as handle:
            return b"pixels" in handle.readline(65_536).lower()
    except (OSError, EOFError, zlib.error):
        return False


def _parquet(name: str, paths: list[Path]) -> _Source:
    return _Source("parquet", name, paths, partial(read_parquet, paths))
