"""Checks of the path that a new data set is written to, and of its layout."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.console import err
from mien.errors import MienError

if TYPE_CHECKING:
    from mien.data import FaceDataset


def refuse_target(target: Path, sources: Sequence[Path]) -> None:
    """Raise a MienError if the target exists, cannot be written, or is inside a source."""
    from mien.io.files import refuse_existing, refuse_unwritable

    refuse_existing(target)
    refuse_unwritable(target.parent)
    for source in sources:
        if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
            raise MienError(
                f"{target}: is inside the data set {source}, which must not change; choose a path "
                "outside it"
            )


def refuse_suffix(target: Path, layout: str) -> None:
    """Raise a MienError if the path of a new data set has the suffix of another layout."""
    from mien.data.formats.base import FORMATS

    suffix = target.suffix.lower()
    if not suffix or suffix == FORMATS[layout].suffix:
        return
    for other, kind in FORMATS.all().items():
        if suffix == kind.suffix:
            raise MienError(
                f"{target}: ends in {suffix}, but the layout is {layout}; choose another name, or "
                f"--layout {other}"
            )


def choose_layout(target: Path, layout: str | None, dataset: FaceDataset) -> str:
    """Return the layout of a new data set, and warn on standard error if it drops votes.

    Args:
        target: path of the new data set.
        layout: name of the requested layout; None for the layout of the source, or for folders if
            that one can only be read.
        dataset: data set to be written.

    Raises:
        MienError: if the target has the suffix of another layout, or the layout keeps no colour.
    """
    from mien.data.formats.base import FORMATS, writable_layouts
    from mien.data.write import refuse_layout

    own = dataset.layout if dataset.layout in writable_layouts() else "folders"
    chosen = layout or own
    refuse_suffix(target, chosen)
    refuse_layout(dataset, target, chosen)
    if dataset.votes is not None and not FORMATS[chosen].keeps_votes:
        keeping = [name for name, kind in FORMATS.all().items() if kind.keeps_votes]
        err.print(
            f"The layout {chosen} does not keep FER+ votes; --layout {' or '.join(keeping)} does.",
            soft_wrap=True,
        )
    return chosen


def describe_reading(dataset: FaceDataset) -> str:
    """Return the options by which files of a data set are read with its labels and crops."""
    from mien.labels import BUILT_IN

    title, crop = dataset.label_set.title, dataset.crop
    labels = title if title in BUILT_IN else ",".join(dataset.names)
    return f"--labels {shlex.quote(labels)} --size {crop.size_px} --channels {crop.channels}"
