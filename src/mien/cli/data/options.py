"""What the verbs of ``mien data`` share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

PathsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help="A CSV, a folder, or one or several Parquet files."),
]
VotesOption = Annotated[
    Path | None,
    typer.Option(
        "--votes", metavar="FILE", help="FER+'s fer2013new.csv, joined to the CSV by row."
    ),
]


class Layout(StrEnum):
    """How a data set is stored."""

    csv = "csv"
    folders = "folders"
    parquet = "parquet"
