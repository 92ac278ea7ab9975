"""The progress of a batch job: a bar on a terminal, else a line every half minute."""

from __future__ import annotations

import time
from typing import Final

from rich.progress import TaskID

from mien.batch.plan import Part, Plan
from mien.batch.run import BatchListener
from mien.batch.table import Counts
from mien.cli.bars import new_progress
from mien.cli.console import err, say_line

_BETWEEN_LINES_S: Final = 30.0


class BatchProgress(BatchListener):
    """Shows the finished parts, and how many pictures a second are read.

    Args:
        quiet: True to print notes only.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._progress = new_progress() if err.is_terminal and not quiet else None
        self._task = TaskID(0)
        self._parts = self._finished = 0
        self._counts = Counts()
        self._start_s = self._line_s = time.monotonic()

    def planned(self, plan: Plan, done: dict[int, Counts]) -> None:
        """Print the size of the job, and start the bar."""
        self._parts, self._finished = len(plan.parts), len(done)
        pictures = "" if plan.pictures is None else f"{plan.pictures:,} pictures and videos in "
        noun = "part" if self._parts == 1 else "parts"
        begun = f", {len(done):,} of them read before" if done else ""
        if not self._quiet:
            say_line(f"{pictures}{self._parts:,} {noun}{begun}", style="dim")
        self._start_s = self._line_s = time.monotonic()
        if self._progress:
            self._task = self._progress.add_task(
                "reading", total=self._parts, completed=self._finished, figures=""
            )
            self._progress.start()

    def noticed(self, note: str) -> None:
        """Print a note."""
        say_line(f"note: {note}", style="dim")

    def part_ended(self, part: Part, counts: Counts) -> None:
        """Move the bar."""
        self._finished += 1
        self._counts.add(counts)
        now = time.monotonic()
        speed = self._counts.pictures / max(now - self._start_s, 1e-9)
        figures = (
            f"{self._counts.pictures:,} pictures  {self._counts.faces:,} faces  {speed:,.0f}/s"
        )
        if self._progress:
            self._progress.update(self._task, completed=self._finished, figures=figures)
        elif not self._quiet and now - self._line_s > _BETWEEN_LINES_S:
            self._line_s = now
            say_line(f"{self._finished:,} of {self._parts:,} parts  {figures}", style="dim")

    def close(self) -> None:
        """Remove the bar."""
        if self._progress:
            self._progress.stop()
