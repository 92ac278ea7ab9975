"""Readings on the terminal as they come: tables, a bar for videos, or JSON."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mien.cli.console import err, new_table, out

if TYPE_CHECKING:
    from pathlib import Path

    from mien.vision.reading import Frame, Reading
    from mien.vision.sources.open import Source

_MOST_TABLES = 20  # photos that have a table of their own
_MOST_PEOPLE = 12
_SECONDS_BETWEEN_FIGURES = 0.2
_BAR_WIDTH = 20
_BESIDE_FIGURES = _BAR_WIDTH + len("reading  0:00:00  ")


class JsonArray:
    """One JSON array on standard output, written record by record: a video may be long."""

    over = False

    def __init__(self, *, all_frames: bool) -> None:
        self.saved: list[Path] = []
        self._all_frames = all_frames
        self._any = self._began = False

    def add(self, frame: Frame, readings: list[Reading]) -> None:
        """Print a record for each face; a photo without one has a record, too."""
        from mien.vision.sinks.write import no_face

        self._began = True
        records = [reading.as_dict() for reading in readings]
        if not records and (self._all_frames or frame.seconds is None):
            records = [no_face(frame)]
        for record in records:
            print(",\n" if self._any else "[\n", end="")
            text = json.dumps(record, indent=2, ensure_ascii=False)
            print("\n".join(f"  {line}" for line in text.splitlines()), end="")
            self._any = True

    def close(self) -> None:
        """End the array; where not one frame came, an error says why, and nothing is printed."""
        if self._began:
            print("\n]" if self._any else "[]", flush=True)


class Screen:
    """Tables for photos; for videos and cameras a bar, and at the end who showed what."""

    over = False

    def __init__(self, source: Source) -> None:
        self.saved: list[Path] = []
        self._source = source
        self._photos = self._faces = self._frames = 0
        self._emotions: Counter[str] = Counter()
        self._began = time.monotonic()
        self._last = 0.0
        self._people: dict[int, Counter[str]] = {}
        many = source.kind != "photos" or (source.total or 0) > _MOST_TABLES
        self._progress = _bar() if many and err.is_terminal else None
        if self._progress:
            self._progress.start()
            self._task = self._progress.add_task(
                "reading", total=source.total if source.kind != "live" else None, figures=""
            )

    def add(self, frame: Frame, readings: list[Reading]) -> None:
        """Show a frame's readings."""
        self._frames += 1
        self._faces += len(readings)
        for reading in readings:
            told = "uncertain" if reading.uncertain else reading.emotion
            self._emotions[told] += 1
            if reading.track is not None:
                self._people.setdefault(reading.track, Counter())[told] += 1
        if frame.seconds is None:
            self._photos += 1
            if self._photos <= _MOST_TABLES:
                _say_photo(frame.source or "the picture", readings)
        if self._progress and time.monotonic() - self._last > _SECONDS_BETWEEN_FIGURES:
            self._last = time.monotonic()
            speed = self._frames / max(self._last - self._began, 1e-9)
            dropped = f"  {self._source.dropped:,} dropped" if self._source.dropped else ""
            seen = "  ".join(_short(reading) for reading in readings[:3])
            self._progress.update(
                self._task,
                completed=self._frames,
                figures=_cut(f"{self._frames:,}  {speed:,.0f}/s{dropped}  {seen}"),
            )

    def close(self) -> None:
        """Take the bar away, and sum up what had no table of its own."""
        if self._progress:
            self._progress.stop()
        if self._photos > _MOST_TABLES:
            out.print(f"{self._photos:,} photos, {self._faces:,} faces: {_shares(self._emotions)}")
        videos = self._frames - self._photos
        if not videos:
            return
        seconds = time.monotonic() - self._began
        dropped = f", {self._source.dropped:,} dropped" if self._source.dropped else ""
        name = self._source.name or "the sources"
        out.print(
            f"{name}: {videos:,} {'frame' if videos == 1 else 'frames'} in {seconds:.1f} s "
            f"({videos / seconds:,.0f}/s{dropped}), "
            f"{len(self._people):,} {'person' if len(self._people) == 1 else 'people'}",
            style="bold",
            soft_wrap=True,
        )
        if self._people:
            table = new_table("person", "frames", "read as")
            table.columns[-1].justify = "left"
            ranked = sorted(self._people.items(), key=lambda item: (-item[1].total(), item[0]))
            for track, counts in ranked[:_MOST_PEOPLE]:
                table.add_row(f"#{track}", f"{counts.total():,}", _shares(counts))
            out.print(table)
            if len(ranked) > _MOST_PEOPLE:
                out.print(f"and {len(ranked) - _MOST_PEOPLE:,} who were seen for less", style="dim")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=_BAR_WIDTH),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
        console=err,
        transient=True,
    )


def _cut(figures: str) -> str:
    """Cut figures to what the terminal has room for: rich would take it from the bar."""
    room = max(1, err.width - _BESIDE_FIGURES)
    return figures if len(figures) <= room else f"{figures[: room - 1]}…"


def _short(reading: Reading) -> str:
    number = "" if reading.track is None else f"#{reading.track} "
    doubt = "?" if reading.uncertain else ""
    return f"{number}{reading.emotion}{doubt} {reading.probabilities[reading.emotion]:.2f}"


def _shares(counts: Counter[str]) -> str:
    whole = counts.total()
    if not whole:
        return "none"
    return ", ".join(f"{name} {count / whole:.0%}" for name, count in counts.most_common(4))


def _say_photo(name: str, readings: list[Reading]) -> None:
    if not readings:
        out.print(f"{name}: no face found", soft_wrap=True)
        return
    faces = "1 face" if len(readings) == 1 else f"{len(readings)} faces"
    out.print(f"{name}: {faces}", style="bold", soft_wrap=True)
    table = new_table("emotion", "probability", "next", "box", "face score")
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
