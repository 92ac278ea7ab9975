"""``mien predict``: read the faces in photos, folders, videos, cameras and streams."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mien.bundle.provider_names import CPU
from mien.cli.console import quiet_libraries, say_line, say_path
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
    ThreadsOption,
    TurnedOption,
    parse_time,
)
from mien.errors import Interrupted, MienError
from mien.io.interrupt import StopRequest, asked_to_stop
from mien.vision.defaults import MAX_PIXELS, SMOOTHING_S

if TYPE_CHECKING:
    from mien.vision.reader import Reader
    from mien.vision.sinks.base import Sink
    from mien.vision.sources.base import Source

SOME_FAILED = 1
NONE_READ = 2

_BETWEEN_KEYS_S: Final = 0.05


def predict(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="Photos, folders, glob patterns, videos, the number of a camera, or addresses.",
        ),
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Read the photo that comes with mien, as a try.")
    ] = False,
    model: ModelOption = None,
    as_json: JsonOption = False,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a CSV with a row for each face in each frame."),
    ] = None,
    json_lines: Annotated[
        Path | None,
        typer.Option("--jsonl", metavar="FILE", help="Write a line of JSON for each face."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Save annotated copies: a photo, a folder for several, or an .mp4, .webm or .avi "
            "for videos and cameras.",
        ),
    ] = None,
    save_crops: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Save each face as the crop that was read."),
    ] = None,
    timeline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a page on who showed which expression when, for videos and cameras.",
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show the frames in a window; q or Esc closes it.")
    ] = False,
    sinks: Annotated[
        list[str] | None,
        typer.Option(
            "--sink",
            metavar="NAME=PATH",
            help="Write to the sink of this name, such as a plugin's. Repeat it for several.",
        ),
    ] = None,
    all_frames: Annotated[
        bool,
        typer.Option("--all-frames", help="Also record frames without a face."),
    ] = False,
    crops: CropsOption = False,
    detector: DetectorOption = "auto",
    detector_model: DetectorModelOption = None,
    smoothing: SmoothingOption = SMOOTHING_S,
    turned: TurnedOption = False,
    min_face: MinFaceOption = 0,
    min_score: MinScoreOption = 0.0,
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Read every N-th frame of videos and cameras.")
    ] = 1,
    start: Annotated[
        float,
        typer.Option(
            "--from", metavar="TIME", parser=parse_time, help="Begin videos at 90, 1:30 or 0:01:30."
        ),
    ] = 0.0,
    end: Annotated[
        float | None,
        typer.Option("--to", metavar="TIME", parser=parse_time, help="End videos at this time."),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            metavar="RATE", help="Read the photos of a folder as a video of RATE frames a second."
        ),
    ] = None,
    animated: Annotated[
        bool, typer.Option("--animated", help="Read animated GIF, PNG, WebP and AVIF as videos.")
    ] = False,
    threads: ThreadsOption = 0,
    provider: ProviderOption = CPU,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
) -> None:
    """Find the faces in any source and read their expressions.

    The exit code is 0 even if no face is found, and 1 if some of several sources could not be read.
    When Ctrl-C stops a video or a camera, the files are whole, with all that was read until then.
    Several cameras are read at the same time.
    """
    from mien.cli.outputs import COPY, open_sinks, requests
    from mien.vision.places import SourceFiles
    from mien.vision.reader import Reader
    from mien.vision.sinks.base import SinkContext
    from mien.vision.sources import open_source

    reader = Reader(
        model,
        detector=detector_name(detector, crops=crops),
        detector_model=detector_model,
        smoothing_s=smoothing,
        threads=threads,
        provider=provider,
        min_face_px=min_face,
        min_score=min_score,
        turned=turned,
    )
    options = {
        "--save": (COPY, save),
        "--csv": ("csv", csv),
        "--jsonl": ("jsonl", json_lines),
        "--save-crops": ("crops", save_crops),
        "--timeline": ("timeline", timeline),
    }
    wanted = requests(options, [*(["window"] if show else []), *(sinks or [])])
    stop = _Stop()
    with quiet_libraries(), ExitStack() as stack:
        opened = open_source(
            _named_sources(sources or [], sample=sample),
            every=every,
            start_s=start,
            end_s=end,
            fps=fps,
            animated=animated,
            max_pixels=max_pixels,
            stop=stop,
        )
        source = stack.enter_context(opened)
        files = SourceFiles(source.names)
        context = SinkContext(source, reader, files, all_frames=all_frames, stop=stop)
        stop.sinks = open_sinks(wanted, context, stack, as_json=as_json)
        with asked_to_stop() as stop.request:
            keep_open = source.kind == "photos" and any(one.name == "window" for one in wanted)
            frames, is_stopped = _read(reader, source, stop, keep_open=keep_open)
    _say_results(source, stop.sinks, quiet=as_json)
    if frames and not as_json:
        for note in filter(None, (reader.detector_note, reader.bundle.provider_note)):
            say_line(note, style="dim")
    if is_stopped and source.kind != "live":
        raise Interrupted(f"stopped after {frames:,} frames; what was read until then is saved")
    if source.failures or any(sink.failures for sink in stop.sinks):
        sys.exit(SOME_FAILED if frames else NONE_READ)


def _named_sources(sources: list[str], *, sample: bool) -> list[str]:
    """Return the sources that the user named, or the sample photo if that was asked for.

    Raises:
        MienError: if the user named nothing, or both.
    """
    from mien.vision.sample import sample_photo

    if sample and sources:
        raise MienError("--sample reads the photo that comes with mien; leave out the other names")
    if not (sample or sources):
        raise MienError(
            "expected a photo, a folder, a video, the number of a camera or an address; "
            "`mien predict --sample` reads the photo that comes with mien"
        )
    return sources or [str(sample_photo())]


def detector_name(detector: str, *, crops: bool) -> str:
    """Return the name of the detector that the options ``--detector`` and ``--crops`` mean.

    Raises:
        MienError: if they contradict each other.
    """
    if crops and detector not in ("auto", "none"):
        raise MienError(f"--crops reads each picture as one face; leave out --detector {detector}")
    return "none" if crops else detector


class _Stop:
    """Condition that ends the reading: a signal, or a sink that is done, such as a closed window.

    Attributes:
        request: request that a signal makes.
        sinks: sinks of the run.
    """

    def __init__(self) -> None:
        self.request = StopRequest()
        self.sinks: list[Sink] = []

    def __call__(self) -> bool:
        return self.request() or any(sink.done for sink in self.sinks)


def _read(reader: Reader, source: Source, stop: _Stop, *, keep_open: bool) -> tuple[int, bool]:
    """Give each frame and its readings to the sinks.

    Args:
        reader: reader of the faces.
        source: opened source.
        stop: condition that ends the reading, with the sinks.
        keep_open: wait at the end until the user closes the window.

    Returns:
        Number of frames that were read, and whether the reading was stopped.
    """
    frames = 0
    for frame, readings in reader.stream(source):
        frames += 1
        for sink in stop.sinks:
            sink.add(frame, readings)
        if stop():
            return frames, True
    if not (keep_open and frames):
        return frames, stop()
    while not stop():
        time.sleep(_BETWEEN_KEYS_S)
    return frames, False


def _say_results(source: Source, sinks: list[Sink], *, quiet: bool) -> None:
    """Print what was saved and what failed."""
    for sink in sinks:
        for path in sink.saved:
            if not quiet:
                say_path("saved", path)
    for note in (*source.notes, *(one for sink in sinks for one in sink.notes)):
        say_line(f"note: {note}", style="dim")
    for failure in (*source.failures, *(one for sink in sinks for one in sink.failures)):
        say_line(f"mien: {failure}")
