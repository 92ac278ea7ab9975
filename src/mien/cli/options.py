"""Options and arguments that mean the same in several verbs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Split(StrEnum):
    """A split of a data set."""

    train = "train"
    val = "val"
    test = "test"


class Device(StrEnum):
    """A device to train on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN_OR_BUNDLE",
        help="Path of a run directory or a .onnx file, or name of a shipped Bundle.",
    ),
]
DataOption = Annotated[
    list[Path],
    typer.Option(
        "--data",
        metavar="PATH",
        help="Data set: a CSV, a folder or a Parquet file. Repeat --data for several Parquet "
        "files.",
    ),
]
SkipBadOption = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out unusable images and list them.")
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a setting of the recipe, for example train.epochs=5. Repeatable.",
    ),
]
DeviceOption = Annotated[
    Device, typer.Option(help="Device to train on; auto takes CUDA if there is one.")
]
CropsOption = Annotated[
    bool,
    typer.Option("--crops", help="Read each picture as one face crop, without a face detector."),
]
DetectorOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Name of the face detector. auto takes the best one that is there; an unknown name "
        "lists all.",
    ),
]
DetectorModelOption = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="File of YuNet's weights, if it is not in mien's cache."),
]
MaxPixelsOption = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="PIXELS",
        help="Size of the largest picture to open; a larger one is refused.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
