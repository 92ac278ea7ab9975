"""Load a data set from any path: find its layout, read it or its cached copy, assign splits."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mien.data import cache
from mien.data.classes import (
    FERPLUS,
    choose_labels,
    describe_channels,
    describe_classes,
    explain_unknown,
    refuse_one_class,
)
from mien.data.dataset import FaceDataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.formats._fields import UnknownLabelError
from mien.data.formats._files import readable, shorten
from mien.data.formats._foreign import describe_file
from mien.data.formats.base import FORMATS, Format, ReadOptions, Source
from mien.data.passed_over import describe_passed_over
from mien.data.rows import Rows
from mien.data.split import assign_splits
from mien.data.votes import join_votes, read_votes, relabel_by_votes
from mien.errors import DataError
from mien.images.crop import CropSpec
from mien.io.files import AnyPath, expand_user
from mien.labels import FER2013, LabelSet

Paths = AnyPath | Sequence[AnyPath]


class Found(NamedTuple):
    """The layout of a data set, and its files."""

    layout: str
    format: Format
    source: Source


def as_paths(data: Paths) -> tuple[Path, ...]:
    """Return one path or several as a tuple, with ``~`` expanded."""
    given = [data] if isinstance(data, str | bytes | os.PathLike) else data
    return tuple(expand_user(path) for path in given)


@readable()
def load_dataset(
    *paths: AnyPath,
    fractions: Sequence[float] | None = None,
    validation_share: float = 0.0,
    make_val: bool = True,
    keep_duplicates_together: bool = False,
    seed: int = 0,
    skip_bad: bool = False,
    use_cache: bool = True,
    votes: AnyPath | None = None,
    labels: LabelSet | str | Sequence[str] | Mapping[str, Any] | None = None,
    size_px: int = CropSpec.size_px,
    channels: int = CropSpec.channels,
) -> FaceDataset:
    """Load a data set in any known layout.

    Args:
        paths: path of one CSV file, with pixels or with the paths of images, or of one folder (of
            class folders, as RAF-DB or JAFFE have it, or with one CSV file or Parquet files in it),
            or paths of several Parquet files or lists that are one data set. Installed plugins may
            add layouts (`mien.data.formats.base`).
        fractions: shares of train, val and test, which sum to 1: all images are pooled and split
            afresh, stratified by label. By default the splits stated by the files are kept (see
            `mien.data.split.assign_splits` for files that state none).
        validation_share: share of the stated train split that becomes val, stratified by label; the
            stated val and test splits are then test. 0 keeps the stated splits.
        make_val: whether a tenth of train becomes val if the files state no val split; otherwise
            the data set may have none.
        keep_duplicates_together: whether exact and near duplicates stay in one split when images
            are split afresh.
        seed: seed of the random splits.
        skip_bad: leave out images that cannot be used and list them in ``skipped``, instead of
            raising an error at the first.
        use_cache: whether to keep the arrays in the user's cache (``MIEN_CACHE``) and load them
            from there.
        votes: path of FER+'s ``fer2013new.csv``, joined by row number to FER-2013's original CSV
            (no other layout keeps its row numbers).
        labels: classes of the data set: the name of a built-in set (``fer2013``, ``ferplus``,
            ``rafdb``, ``affectnet7``, ``affectnet8``, ``ckplus``), ``auto`` for the names that the
            files use, a list of names, or a table (see `mien.labels.parse_label_set`). By default
            the files have to name FER-2013's seven emotions. ``ferplus`` takes the majority of the
            FER+ votes as label, if there are votes.
        size_px: side of the face crops, in pixels.
        channels: 1 for gray crops, 3 for colour.

    Returns:
        The data set: the same images, labels and splits in whichever layout they are stored.

    Raises:
        DataError: if a path does not exist or is in no known layout, or an image or label in it is
            wrong.
    """
    found = find_source(paths)
    label_set, notes = choose_labels(labels, found.format, found.source)
    options = ReadOptions(label_set, CropSpec(size_px, channels), skip_bad)
    try:
        rows = _read(found, _of_the_files(options, found, votes), use_cache=use_cache)
    except UnknownLabelError as error:
        raise explain_unknown(error, label_set, found.format, found.source) from None
    if votes is not None:
        rows = _with_votes(rows, found, expand_user(votes))
    if label_set == FERPLUS:
        rows = _relabelled(rows, found.source.name)
    if fractions is None:
        rows = _without_unstated(rows, found.source.name, skip_bad=skip_bad)
    notes += [*rows.notes, *describe_classes(rows, label_set, labels)]
    notes += describe_passed_over(as_paths(paths), found.source)
    refuse_one_class(rows, label_set, found.source.name)
    groups = None
    if keep_duplicates_together:
        groups = find_duplicates(rows.images, exact_only=rows.drawn).groups
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
        rows=rows.rows,
        votes=rows.votes,
        name=found.source.name,
        layout=found.layout,
        drawn=rows.drawn,
        split_rule=rule,
        skipped=tuple(rows.skipped),
        notes=tuple(notes),
        label_set=label_set,
        crop=options.crop,
    )


def _of_the_files(options: ReadOptions, found: Found, votes: AnyPath | None) -> ReadOptions:
    """Return options that read the files' own labels where FER+'s votes replace them."""
    if options.labels != FERPLUS:
        return options
    if votes is None:
        if not found.format.has_votes(found.source):
            return options
        words = found.format.find_labels(found.source)
        if all(FERPLUS.find(word) is not None for word in words):
            return options
    return replace(options, labels=FER2013)


def _read(found: Found, options: ReadOptions, *, use_cache: bool) -> Rows:
    layout, _, source = found
    if not use_cache:
        return _read_files(found, options)
    labels, crop = options.labels, options.crop
    key = cache.cache_key(
        source.files,
        source.root and str(source.root.absolute()),
        layout,
        FORMATS.origin(layout),  # a plugin's reader may give other rows after an update
        (labels.names, sorted(labels.aliases.items()), labels.numbering),
        (crop.size_px, crop.channels, options.skip_bad),
    )
    kept = cache.load(key)
    if kept is not None:
        return kept
    rows = _read_files(found, options)
    cache.save(key, rows)
    return cache.load(key) or rows  # mapped from the cache, it takes no memory


def _read_files(found: Found, options: ReadOptions) -> Rows:
    rows = found.format.read(found.source, options)
    rows.notes += describe_channels(rows.images, options.crop)
    return rows.in_split_order()


def _with_votes(rows: Rows, found: Found, path: Path) -> Rows:
    """Join FER+ votes, after the cache, whose entries depend only on the data set's own files."""
    if not found.format.numbers_rows:
        raise DataError(
            f"{path}: FER+ votes are joined by the row numbers of FER-2013's original CSV, which "
            f"{found.source.name} ({found.layout}) does not keep; give the CSV itself, or convert "
            "it with its votes to Parquet, which keeps them"
        )
    return join_votes(rows, read_votes(path), found.source.name)


def _relabelled(rows: Rows, name: str) -> Rows:
    """Return the images with the majority of their FER+ votes as label, if there are votes."""
    if rows.votes is not None:
        return relabel_by_votes(rows, FERPLUS, name)
    note = "these files have no FER+ votes, so the labels are those that they state"
    return replace(rows, notes=[*rows.notes, note])


def _without_unstated(rows: Rows, name: str, *, skip_bad: bool) -> Rows:
    """Leave out images without a split if others have one, such as a truncated last row."""
    unstated = rows.splits == ""
    if unstated.all() or not unstated.any():
        return rows
    lines = [
        f"{name}: {identifier} states no split, while others do"
        for identifier in rows.ids[unstated]
    ]
    if not skip_bad:
        raise DataError(
            f"{lines[0]} ({len(lines):,} of {len(rows):,}); fix it, or leave it out with --skip-bad"
        )
    return rows.take(~unstated, skipped=lines)


@readable()
def find_source(data: Paths) -> Found:
    """Return the layout of a data set and its files, as the first format recognizes them.

    Raises:
        DataError: if a path does not exist or is given twice, or no format recognizes the files.
    """
    paths = as_paths(data)
    if not paths:
        raise DataError("no data set was given, expected the path of a file or folder")
    _check_paths(paths)
    path = paths[0]
    formats = sorted(FORMATS.all().items(), key=lambda item: item[1].order)
    for layout, kind in formats:
        stored = kind()
        if source := stored.sniff(paths):
            return Found(layout, stored, source)
    *most, last = (kind.expects for _, kind in formats)
    expected = f"not a known layout, expected {', '.join(most)} or {last}"
    several = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
    for one in filter(Path.is_file, paths):
        what, advice = describe_file(one)
        if advice:
            raise DataError(f"{one}: {what}; {advice}")
        if what and len(paths) == 1:
            raise DataError(f"{one}: {what}, {expected}")
    raise DataError(f"{path}{several}: {expected}")


def _check_paths(paths: tuple[Path, ...]) -> None:
    for path in paths:
        if not path.exists():
            raise DataError(f"{shorten(str(path))}: no such file or folder; check the path")
        if not path.is_file() and not path.is_dir():
            raise DataError(f"{path}: a pipe or a device, expected a file or a folder")
    for number, path in enumerate(paths):
        if path.resolve() in {other.resolve() for other in paths[:number]}:
            raise DataError(f"{path}: given twice; its images would count twice")
