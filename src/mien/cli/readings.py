"""The sinks of the terminal: tables, a progress bar for videos, or JSON."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mien.cli.console import err, new_table, out
from mien.io.text import one_line, safe_json
from mien.vision.reading import Reading
from mien.vision.sample import sample_photo
from mien.vision.sinks.base import Sink, SinkContext
from mien.vision.sinks.jsonl import no_face
from mien.vision.sources.base import Frame, Source
from mien.vision.timeline import SHORTEST_S, Timeline

_MAX_TABLES: Final = 20  # photos with a table of their own
_MAX_FOLLOWED: Final = 12
_BETWEEN_FIGURES_S: Final = 0.2
_BAR_WIDTH: Final = 20
_BESIDE_FIGURES: Final = _BAR_WIDTH + len("reading  0:00:00  ")


class JsonArray(Sink):
    """One JSON array on standard output, printed record by record: a video may be long.

    Args:
        all_frames: also print a record for each frame of a video without a face.
    """

    target = "nothing"

    def __init__(self, *, all_frames: bool) -> None:
        super().__init__()
        self._all_frames = all_frames
        self._has_records = self._has_frames = False

    @classmethod
    def open(cls, target: str, context: SinkContext) -> Self:  # noqa: ARG003
        """Return a sink that prints to standard output; `target` is empty."""
        return cls(all_frames=context.all_frames)

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Print a record for each face; a photo without a face also has one."""
        self._has_frames = True
        records = [reading.as_dict() for reading in readings]
        if not records and (self._all_frames or frame.seconds is None):
            records = [no_face(frame)]
        for record in records:
            print(",\n" if self._has_records else "[\n", end="")
            text = safe_json(record)
            print("\n".join(f"  {line}" for line in text.split("\n")), end="")
            self._has_records = True

    def close(self) -> None:
        """End the array; without any frame nothing is printed, because an error explains why."""
        if self._has_frames:
            print("\n]" if self._has_records else "[]", flush=True)
            self._has_frames = False


class Screen(Sink):
    """Tables for photos; for videos and cameras a progress bar, and a summary of each person.

    Args:
        source: opened source.
    """

    target = "nothing"

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._photos = self._faces = self._frames = 0
        self._answers: Counter[str] = Counter()
        self._start_s = time.monotonic()
        self._updated_s = 0.0
        self._timeline = Timeline(curves=False)
        many = source.kind != "photos" or (source.total or 0) > _MAX_TABLES
        self._progress = _bar() if many and err.is_terminal else None
        if self._progress:
            self._progress.start()
            self._task = self._progress.add_task(
                "reading", total=source.total if source.kind != "live" else None, figures=""
            )

    @classmethod
    def open(cls, target: str, context: SinkContext) -> Self:  # noqa: ARG003
        """Return a sink that prints to the terminal; `target` is empty."""
        return cls(context.source)

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Show the readings of a frame."""
        self._frames += 1
        self._faces += len(readings)
        for reading in readings:
            answer = "uncertain" if reading.uncertain else reading.emotion
            self._answers[answer] += 1
        self._timeline.add(frame, readings)
        if frame.seconds is None:
            self._photos += 1
            if self._photos <= _MAX_TABLES:
                _say_photo(_name_of(frame), readings)
        now = time.monotonic()
        if self._progress and now - self._updated_s > _BETWEEN_FIGURES_S:
            self._updated_s = now
            speed = self._frames / max(now - self._start_s, 1e-9)
            dropped = f"  {self._source.dropped:,} dropped" if self._source.dropped else ""
            faces = "  ".join(_short(reading) for reading in readings[:3])
            self._progress.update(
                self._task,
                completed=self._frames,
                figures=_cut(f"{self._frames:,}  {speed:,.0f}/s{dropped}  {faces}"),
            )

    def close(self) -> None:
        """Remove the progress bar, and sum up what has no table of its own."""
        if self._progress:
            self._progress.stop()
        if self._photos > _MAX_TABLES:
            out.print(f"{self._photos:,} photos, {self._faces:,} faces: {_shares(self._answers)}")
        if videos := self._frames - self._photos:
            self._say_followed(videos)

    def _say_followed(self, videos: int) -> None:
        """Print how many faces were followed, and what each was read as for most of its time."""
        people = self._timeline.people()
        faces = [person for person in people if person.seconds >= SHORTEST_S]
        seconds = time.monotonic() - self._start_s
        dropped = f", {self._source.dropped:,} dropped" if self._source.dropped else ""
        name = one_line(self._source.name or "the sources")
        out.print(
            f"{name}: {videos:,} {'frame' if videos == 1 else 'frames'} in {seconds:.1f} s "
            f"({videos / seconds:,.0f}/s{dropped}), "
            f"{_faces(len(faces))} followed",
            style="bold",
            soft_wrap=True,
        )
        if faces:
            table = new_table("face", "seconds", "read as, by time")
            table.columns[-1].justify = "left"
            for face in faces[:_MAX_FOLLOWED]:
                table.add_row(f"#{face.track}", f"{face.seconds:.1f}", _shares(face.seconds_of))
            out.print(table)
        for hidden, how in (
            (len(faces) - _MAX_FOLLOWED, "on screen for less time"),
            (len(people) - len(faces), f"followed for less than {SHORTEST_S} seconds"),
        ):
            if hidden > 0:
                out.print(f"and {_faces(hidden)} {how}", style="dim")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=_BAR_WIDTH),
        TextColumn("{task.fields[figures]}", markup=False),
        TimeRemainingColumn(compact=True),
        console=err,
        transient=True,
    )


def _cut(figures: str) -> str:
    """Cut figures to the width of the terminal: rich would shorten the bar instead."""
    room = max(1, err.width - _BESIDE_FIGURES)
    return figures if len(figures) <= room else f"{figures[: room - 1]}…"


def _short(reading: Reading) -> str:
    number = "" if reading.track is None else f"#{reading.track} "
    mark = "?" if reading.uncertain else ""
    return f"{number}{one_line(reading.emotion)}{mark} {reading.probabilities[reading.emotion]:.2f}"


def _shares(amounts: Mapping[str, float]) -> str:
    """Return the shares of the four largest amounts, such as frames or seconds, in words."""
    whole = sum(amounts.values())
    largest = sorted(amounts.items(), key=lambda item: -item[1])[:4]
    shown = [f"{one_line(name)} {amount / whole:.0%}" for name, amount in largest if amount]
    return ", ".join(shown) or "none"


def _faces(count: int) -> str:
    return "1 face" if count == 1 else f"{count:,} faces"


def _name_of(frame: Frame) -> str:
    if frame.source == str(sample_photo()):
        return sample_photo().name  # its folder is none of the user's
    return frame.source or "the picture"


def _say_photo(name: str, readings: Sequence[Reading]) -> None:
    name = one_line(name)
    if not readings:
        out.print(f"{name}: no face found", soft_wrap=True)
        return
    out.print(f"{name}: {_faces(len(readings))}", style="bold", soft_wrap=True)
    from mien.labels import named_labels

    noun = named_labels(tuple(readings[0].probabilities)).noun
    table = new_table(noun, "probability", "next", "box", "face score")
    for reading in readings:
        ranked = sorted(reading.probabilities.items(), key=lambda item: -item[1])
        left, top, right, bottom = reading.box
        table.add_row(
            f"{reading.emotion}, uncertain" if reading.uncertain else reading.emotion,
            f"{ranked[0][1]:.2f}",
            f"{ranked[1][0]} {ranked[1][1]:.2f}",
            f"{left},{top} – {right},{bottom}",
            f"{reading.score:.2f}",
        )
    out.print(table)
