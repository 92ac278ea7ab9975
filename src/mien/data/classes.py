"""Choose the classes of a data set, and tell the user what becomes of them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import numpy as np

from mien.data.formats._fields import UnknownLabelError, fitting_sets, is_number
from mien.data.formats.base import Format, Source
from mien.data.rows import Rows
from mien.errors import DataError
from mien.images.crop import CropSpec
from mien.io.mapped import release_pages
from mien.labels import AUTO, BUILT_IN, FER2013, LabelSet, found_labels, parse_label_set
from mien.types import Images

FERPLUS: Final = BUILT_IN["ferplus"]

_BLOCK: Final = 256  # images at a time
_SHOWN: Final = 6  # unknown classes that a note names
_OTHER_LABELS: Final = (
    f"data.labels (--labels) names another label set, and {AUTO} takes the names in the files"
)


def choose_labels(setting: Any, stored: Format, source: Source) -> tuple[LabelSet, list[str]]:
    """Return the label set that a setting describes, and lines that the user should read about it.

    Args:
        setting: value of ``data.labels``; None for FER-2013's labels.
        stored: format of the files, which is asked for their classes if the setting is ``auto``.
        source: files of the data set.

    Raises:
        DataError: if the setting cannot be used, or the classes of the files make no label set.
    """
    if setting is None:
        return FER2013, []
    chosen = parse_label_set(setting)
    if chosen is not None:
        return chosen, []
    words = set(stored.find_labels(source))
    try:
        labels = found_labels(words)
    except DataError as error:
        found = ", ".join(sorted(words)[:_SHOWN]) or "no class"
        raise DataError(f"{source.name}: {error} (the files name {found})") from None
    spellings: dict[str, list[str]] = {}
    for word in sorted({word.strip().casefold() for word in words} - {""}):
        spellings.setdefault(labels.names[labels.parse(word)], []).append(word)
    notes = [
        f"{' and '.join(map(repr, words))} are one class, {name!r}; to keep them apart, name the "
        "classes: data.labels (--labels) takes a list"
        for name, words in spellings.items()
        if len(words) > 1
    ]
    return labels, notes


def explain_unknown(
    error: UnknownLabelError, asked: LabelSet, stored: Format, source: Source
) -> DataError:
    """Return an error about an unknown class that also names the label sets that would fit.

    Args:
        error: error that the reader of the files raised.
        asked: label set that the user chose.
        stored: format of the files.
        source: files of the data set.
    """
    if asked == FERPLUS and is_number(error.word):
        return DataError(
            f"{error}; ferplus takes its labels from FER+ votes, which these files do not have: "
            "give fer2013new.csv with FER-2013's original CSV (votes, --votes), or Parquet files "
            "with the column ferplus"
        )
    words: set[str] = set()
    with suppress(DataError):
        words = {word.strip() for word in stored.find_labels(source)} - {""}
    fitting = fitting_sets(words) if words else []
    fitting.sort(key=lambda title: title == FERPLUS.title)  # it expects votes, so it comes last
    if not fitting:
        found = ", ".join(sorted(words)[:_SHOWN]) + (", …" if len(words) > _SHOWN else "")
        return DataError(f"{error}; {_OTHER_LABELS}{f' ({found})' if words else ''}")
    first, *others = fitting
    also = f", and so does {' or '.join(others)}" if others else ""
    return DataError(f"{error}; data.labels={first} (--labels {first}) fits these files{also}")


def describe_classes(rows: Rows, labels: LabelSet, setting: Any) -> list[str]:
    """Return lines about the images of unknown classes, which were left out, and missing classes.

    Args:
        rows: images of the data set.
        labels: classes of the data set.
        setting: value of ``data.labels``.
    """
    notes = []
    if rows.unknown:
        counts = sorted(rows.unknown.items(), key=lambda item: (-item[1], item[0]))
        words = ", ".join(f"{word!r} {count:,}" for word, count in counts[:_SHOWN])
        more = f" and {len(counts) - _SHOWN:,} more" if len(counts) > _SHOWN else ""
        notes.append(
            f"{sum(rows.unknown.values()):,} images of unknown classes were left out "
            f"({words}{more}); {_OTHER_LABELS}"
        )
    if missing := _missing(rows, labels):
        auto = f"; --labels {AUTO} (data.labels) takes the classes that there are"
        notes.append(f"no image shows {', '.join(missing)}{auto if setting is None else ''}")
    return notes


def describe_channels(images: Images, crop: CropSpec) -> list[str]:
    """Return a line if crops in colour are asked of images that are gray, every one."""
    if crop.channels == 1:
        return []
    for start in range(0, len(images), _BLOCK):
        block = images[start : start + _BLOCK]
        if (block != block[..., :1]).any():
            return []
        release_pages(images)
    return [
        "the images are gray, so the three channels of each crop are equal (data.channels = 1 "
        "needs less time)"
    ]


def refuse_one_class(rows: Rows, labels: LabelSet, name: str) -> None:
    """Raise a DataError if the images of all classes but one were left out as unknown."""
    left = [labels.names[label] for label in np.unique(rows.labels)]
    if rows.unknown and len(left) < 2:
        raise DataError(
            f"{name}: only images of {left[0]} are left, since these classes are unknown: "
            f"{', '.join(sorted(rows.unknown))}; {_OTHER_LABELS}"
        )


def _missing(rows: Rows, labels: LabelSet) -> list[str]:
    counts = np.bincount(rows.labels, minlength=len(labels))
    return [name for name, count in zip(labels.names, counts, strict=True) if not count]
