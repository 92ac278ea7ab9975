"""Progress bars of all verbs that take long."""

from __future__ import annotations

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mien.cli.console import err


def new_progress() -> Progress:
    """Return progress bars on standard error, each with a name, figures and the time left."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}", markup=False),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=err,
        transient=True,
        expand=True,
    )
