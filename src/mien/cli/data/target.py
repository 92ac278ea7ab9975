"""Where a verb that makes a data set writes it: to a new place, outside its source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.console import err
from mien.errors import MienError

if TYPE_CHECKING:
    from mien.data import FaceDataset


def refuse_target(target: Path, sources: Sequence[Path]) -> None:
    """Raise a MienError if there is something at ``target``, or it would change a source."""
    from mien.io.files import refuse_existing

    refuse_existing(target)
    for source in sources:
        if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
            raise MienError(
                f"{target}: is inside the data set {source}, which would change it; choose a place "
                "outside"
            )


def refuse_suffix(target: Path, layout: str, whose: str) -> None:
    """Raise a MienError if the name of ``target`` ends as another layout's does."""
    suffix = target.suffix.lower()
    if suffix in (".csv", ".parquet") and suffix != f".{layout}":
        raise MienError(
            f"{target}: ends in {suffix}, but the layout is {layout}, {whose}; choose another name "
            f"or --layout {suffix[1:]}"
        )


def choose_layout(target: Path, layout: str | None, dataset: FaceDataset) -> str:
    """Return how a data set is to be stored: as asked for, else as it is.

    What is lost in that layout is said on standard error.

    Raises:
        MienError: if the name of ``target`` ends as another layout's does.
    """
    chosen = layout or dataset.layout
    refuse_suffix(target, chosen, "as you ask" if layout else "as the source's")
    if dataset.votes is not None and chosen != "parquet":
        err.print(f"FER+ votes are not kept in the layout {chosen}; --layout parquet keeps them.")
    return chosen
