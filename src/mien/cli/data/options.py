"""Options and arguments that several verbs of ``mien data`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _known_layout(layout: str | None) -> str | None:
    from mien.data.formats.base import FORMATS

    if layout is not None and layout not in FORMATS:
        raise typer.BadParameter(FORMATS.unknown(layout))
    return layout


PathsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help="A CSV, a folder, or one or several Parquet files."),
]
NewOption = Annotated[
    Path, typer.Option("--out", metavar="NEW", help="Path of the new file or folder.")
]
LayoutOption = Annotated[
    str | None,
    typer.Option(
        metavar="LAYOUT",
        callback=_known_layout,
        help="Layout of the new data set, such as csv, folders or parquet; an unknown name lists "
        "all. Default: the layout of the source.",
    ),
]
NewLayoutOption = Annotated[
    str,
    typer.Option(
        metavar="LAYOUT",
        callback=_known_layout,
        help="Layout of the new data set, such as csv, folders or parquet; an unknown name lists "
        "all.",
    ),
]
VotesOption = Annotated[
    Path | None,
    typer.Option(
        "--votes",
        metavar="FILE",
        help="FER+'s fer2013new.csv, joined by row number to FER-2013's CSV.",
    ),
]
