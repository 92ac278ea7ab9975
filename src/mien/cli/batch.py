"""``mien batch``: read many pictures to Parquet, on all cores or on a Ray cluster."""

from __future__ import annotations

import sys
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mien.batch.settings import PART_PICTURES, BatchSettings
from mien.bundle.provider_names import CPU
from mien.cli.console import out, print_json, quiet_libraries, say_line
from mien.cli.options import (
    CropsOption,
    DetectorModelOption,
    DetectorOption,
    JsonOption,
    MaxPixelsOption,
    MinFaceOption,
    MinScoreOption,
    ModelOption,
    ProviderOption,
    SmoothingOption,
    TurnedOption,
)
from mien.cli.predict import NONE_READ, SOME_FAILED, detector_name
from mien.errors import MienError
from mien.io.text import one_line
from mien.vision.defaults import MAX_PIXELS, SMOOTHING_S

if TYPE_CHECKING:
    from mien.batch.run import Summary


class Engine(StrEnum):
    """What reads the parts."""

    auto = "auto"
    local = "local"
    ray = "ray"


def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Folders with their subfolders, photos, videos, Parquet files of images, "
            "WebDataset shards (.tar); paths or addresses such as s3://bucket/folder.",
        ),
    ],
    destination: Annotated[
        str,
        typer.Option(
            "--out", metavar="DIR", help="New folder for the Parquet files; a path or an address."
        ),
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a job that was stopped or killed.")
    ] = False,
    model: ModelOption = None,
    crops: CropsOption = False,
    detector: DetectorOption = "auto",
    detector_model: DetectorModelOption = None,
    turned: TurnedOption = False,
    min_face: MinFaceOption = 0,
    min_score: MinScoreOption = 0.0,
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Read every N-th frame of videos.")
    ] = 1,
    smoothing: SmoothingOption = SMOOTHING_S,
    all_frames: Annotated[
        bool, typer.Option("--all-frames", help="Also record frames of videos without a face.")
    ] = False,
    column: Annotated[
        str, typer.Option(metavar="NAME", help="Column of the images in Parquet files.")
    ] = "image",
    workers: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Number of processes, or of Ray actors; 0 for one per core."
        ),
    ] = 0,
    threads: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of threads of each worker's network.")
    ] = 1,
    engine: Annotated[
        Engine,
        typer.Option(help="Processes on this machine, or Ray; auto takes Ray with --address."),
    ] = Engine.auto,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Ray cluster, such as ray://head-node:10001, or auto on a node of it.",
        ),
    ] = None,
    part: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Largest number of pictures in a file of the results, which is what a crash can "
            "cost.",
        ),
    ] = PART_PICTURES,
    provider: ProviderOption = CPU,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    as_json: JsonOption = False,
) -> None:
    """Read the faces in many pictures to Parquet, on all cores or on a Ray cluster.

    Each file of the results appears whole or not at all, so a job that was killed goes on with
    --resume. A picture that cannot be read has a row with its error. The exit code is 1 if there
    are such rows, and 2 if nothing could be read.
    """
    from mien.batch.run import run_batch
    from mien.cli.batch_progress import BatchProgress

    if address and engine is Engine.local:
        raise MienError("--address needs Ray; leave out --engine local")
    settings = BatchSettings(
        model=model,
        detector=detector_name(detector, crops=crops),
        detector_model=detector_model,
        turned=turned,
        min_face_px=min_face,
        min_score=min_score,
        provider=provider,
        threads=threads,
        max_pixels=max_pixels,
        column=column,
        every=every,
        smoothing_s=smoothing,
        all_frames=all_frames,
        part_pictures=part,
    )
    listener = BatchProgress(quiet=as_json)
    with quiet_libraries(), closing(listener):
        summary = run_batch(
            sources,
            destination,
            settings,
            resume=resume,
            engine="ray" if engine is Engine.ray or address else "local",
            workers=workers,
            address=address,
            listener=listener,
        )
    if as_json:
        print_json(summary.as_dict())
    else:
        _say(summary)
    if summary.counts.errors:
        is_none = summary.counts.unread == summary.counts.pictures
        sys.exit(NONE_READ if is_none else SOME_FAILED)


def _say(summary: Summary) -> None:
    counts = summary.counts
    noun = "file" if summary.parts == 1 else "files"
    out.print(
        f"{_number(counts.pictures, 'picture')}, {_number(counts.faces, 'face')}, "
        f"{_number(counts.errors, 'error')} in {summary.parts:,} {noun}"
    )
    out.print(f"{'saved':<12}{one_line(summary.out)}", soft_wrap=True)
    if counts.other_members:
        say_line(
            f"note: {_number(counts.other_members, 'file')} in shards left out, no photos by their "
            "names",
            style="dim",
        )
    if counts.errors:
        say_line(
            f"mien: {_number(counts.errors, 'picture')} could not be read, or not completely; the "
            "column error says why"
        )


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
