"""Progress of a search for duplicates, on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mien.cli.console import err


@contextmanager
def watch_search() -> Iterator[Callable[[float], None]]:
    """Announce the search for duplicates on standard error; yield its progress callback."""
    if not err.is_terminal:
        err.print(
            "Searching for duplicates: this takes seconds for tens of thousands of images, and "
            "minutes for hundreds of thousands",
            soft_wrap=True,
        )
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("Searching for duplicates"), BarColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=None)  # an animated bar until the first report
        yield lambda done: progress.update(task, total=1.0, completed=done)
