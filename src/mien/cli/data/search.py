"""How a search for duplicates goes, on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mien.cli.console import err


@contextmanager
def watch_search() -> Iterator[Callable[[float], None]]:
    """Announce the search for duplicates on standard error; yield its progress callback."""
    what = "Looking for duplicates: seconds, or a minute for tens of thousands of images"
    if not err.is_terminal:
        err.print(what)
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("Looking for duplicates"), BarColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=None)  # how long it takes is known after a moment
        yield lambda done: progress.update(task, total=1.0, completed=done)
