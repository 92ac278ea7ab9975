"""Options and arguments that mean the same in several verbs."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mien.bundle.provider_names import PROVIDERS
from mien.io.limits import PIXELS


class Split(StrEnum):
    """A split of a data set."""

    train = "train"
    val = "val"
    test = "test"


def parse_time(text: str | float) -> float:
    """Return a time such as ``90``, ``1:30`` or ``00:01:30.5`` in seconds.

    Raises:
        BadParameter: if it is none.
    """
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)", str(text).strip())
    if not match:
        raise typer.BadParameter(f"{text!r} is no time, expected seconds or MM:SS or HH:MM:SS")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


class Device(StrEnum):
    """A device to train on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def recipe_names(incomplete: str) -> list[str]:
    """Return the recipes that come with mien, for the shell's completion."""
    from mien.recipes import list_recipes

    return [name for name in list_recipes() if name.startswith(incomplete)]


def bundle_names(incomplete: str) -> list[str]:
    """Return the Bundles that come with mien, for the shell's completion."""
    from mien.bundle.bundle import shipped_bundles

    return [name for name in shipped_bundles() if name.startswith(incomplete)]


ModelArgument = Annotated[
    str,
    typer.Argument(
        autocompletion=bundle_names,
        metavar="RUN_OR_BUNDLE",
        help="Path of a run directory or a .onnx file, or name of a shipped Bundle.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="RUN_OR_BUNDLE",
        help="Run directory, .onnx file or name of a shipped Bundle. Default: the best shipped "
        "one.",
    ),
]
SmoothingOption = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="Time constant over which readings in videos are averaged; 0 for none.",
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
GroupsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="CSV with the column id and columns of groups, such as age: figures by group.",
    ),
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
ProviderOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"Part of ONNX Runtime that computes the network: {', '.join(PROVIDERS)}.",
    ),
]
ThreadsOption = Annotated[
    int, typer.Option(min=0, metavar="N", help="Number of threads; 0 for one on each core.")
]
MinFaceOption = Annotated[
    int,
    typer.Option(min=0, metavar="PIXELS", help="Shorter side of the smallest face to read."),
]
MinScoreOption = Annotated[
    float,
    typer.Option(min=0, max=1, metavar="SCORE", help="Lowest detector score of a face to read."),
]
TurnedOption = Annotated[
    bool,
    typer.Option(
        "--turned",
        help="Also find faces on their side or upside down; takes at least 4 times as long.",
    ),
]
MaxPixelsOption = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="PIXELS",
        envvar=PIXELS.variable,
        help="Size of the largest picture to open; a larger one is refused.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
