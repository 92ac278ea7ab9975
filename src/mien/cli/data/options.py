"""Options and arguments that several verbs of ``mien data`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="NAME|NAMES",
        help="Classes: a built-in set such as rafdb (an unknown name lists all), auto for the "
        "names in the files, or names separated by commas.",
        show_default="fer2013",
    ),
]
SizeOption = Annotated[
    int | None,
    typer.Option(
        "--size",
        metavar="PX",
        help="Side of the face crops, in pixels, 24 to 224.",
        show_default="48, as in FER-2013",
    ),
]
ChannelsOption = Annotated[
    int | None,
    typer.Option(
        "--channels",
        metavar="1|3",
        help="Channels of the face crops: 1 for gray, 3 for colour.",
        show_default="1",
    ),
]


def crop_options(labels: str | None, size: int | None, channels: int | None) -> dict[str, Any]:
    """Return the options of `mien.load_dataset` that --labels, --size and --channels give."""
    given = {"labels": labels, "size_px": size, "channels": channels}
    return {name: value for name, value in given.items() if value is not None}
