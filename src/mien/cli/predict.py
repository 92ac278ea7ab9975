"""``mien predict``: the faces in photos, folders, videos, cameras and streams."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import (
    CropsOption,
    DetectorModelOption,
    DetectorName,
    DetectorOption,
    JsonOption,
    MaxPixelsOption,
    err,
    quiet_libraries,
    say_path,
)
from mien.errors import Interrupted, MienError
from mien.vision.defaults import MAX_PIXELS, SMOOTHING_S

if TYPE_CHECKING:
    from mien.cli.outputs import Output
    from mien.vision.reader import Reader
    from mien.vision.sources.open import Source

SOME_FAILED = 1
NONE_READ = 2

_SECONDS_BETWEEN_KEYS = 0.05


def predict(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Photos, folders, patterns, videos, a camera's number, or addresses.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="RUN_OR_BUNDLE",
            help="What reads the faces; by default the best that is shipped.",
        ),
    ] = None,
    as_json: JsonOption = False,
    json_lines: Annotated[
        Path | None,
        typer.Option("--jsonl", metavar="FILE", help="Keep a line of JSON for each face."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep a row for each face in each frame.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Save annotated copies: a photo, a folder for several, an .mp4 for a video.",
        ),
    ] = None,
    timeline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a page on who showed what when, for videos: timeline.html."
        ),
    ] = None,
    save_crops: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Save each face as the 48×48 crop that was read."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show it in a window; q or Esc closes it.")
    ] = False,
    all_frames: Annotated[
        bool,
        typer.Option("--all-frames", help="Frames without faces are rows and records, too."),
    ] = False,
    crops: CropsOption = False,
    detector: DetectorOption = DetectorName.auto,
    detector_model: DetectorModelOption = None,
    smoothing: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Steady what is read in videos over so long; 0: not."
        ),
    ] = SMOOTHING_S,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
) -> None:
    """Find the faces in any source and read their expressions.

    Exit code 0 also where there is no face; 1 if some of several sources could not be read. A video
    or a camera that is stopped by Ctrl-C leaves whole files of what it had read.
    """
    from mien.cli.outputs import Wanted, make_outputs
    from mien.vision.reader import Reader
    from mien.vision.sources.open import open_source

    if crops and detector not in (DetectorName.auto, DetectorName.none):
        raise MienError(f"--crops looks for no faces; leave out --detector {detector}")
    reader = Reader(
        model,
        detector="none" if crops else detector.value,
        detector_model=detector_model,
        smoothing_s=smoothing,
    )
    wanted = Wanted(
        as_json=as_json,
        json_lines=json_lines,
        csv=csv,
        save=save,
        timeline=timeline,
        save_crops=save_crops,
        show=show,
        all_frames=all_frames,
    )
    with ExitStack() as stack:
        stack.enter_context(quiet_libraries())
        source = stack.enter_context(open_source(sources, max_pixels=max_pixels))
        outputs = make_outputs(wanted, source, reader, stack)
        frames, stopped = _read(reader, source, outputs, keep_open=show)
    _say_end(source, outputs, quiet=as_json)
    if reader.detector_note and frames and not as_json:
        err.print(reader.detector_note, soft_wrap=True, style="dim")
    if stopped and source.kind != "live":
        raise Interrupted(f"stopped after {frames:,} frames; what was read until then is kept")
    code = (SOME_FAILED if frames else NONE_READ) if source.failures else 0
    if source.lingers:  # all is written: nobody has to wait for a silent stream to time out
        sys.stdout.flush()
        os._exit(code)
    if code:
        sys.exit(code)


def _read(
    reader: Reader, source: Source, outputs: list[Output], *, keep_open: bool
) -> tuple[int, bool]:
    """Return how many frames were read, and whether somebody stopped it.

    Where it is to be kept open, the last photo stays until its window is closed.
    """
    frames = 0
    with _stoppable() as asked:
        # A live source asks too: it may be silent for long, and is to end at once all the same.
        source.over = lambda: asked() or any(output.over for output in outputs)
        for frame, readings in reader.stream(source):
            frames += 1
            for output in outputs:
                output.add(frame, readings)
            if source.over():
                return frames, True
        if not (keep_open and frames and source.kind == "photos"):
            return frames, source.over()
        while not source.over():
            time.sleep(_SECONDS_BETWEEN_KEYS)
        return frames, False


def _say_end(source: Source, outputs: list[Output], *, quiet: bool) -> None:
    """Say what was saved, and what could not be read."""
    for output in outputs:
        for path in output.saved:
            if not quiet:
                say_path("saved", path)
    for failure in source.failures:
        err.print(f"mien: {failure}", soft_wrap=True)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether Ctrl-C or SIGTERM came; a second one ends at once."""
    asked = threading.Event()

    def ask(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in numbers]
    try:
        yield asked.is_set
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
