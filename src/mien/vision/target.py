"""A file that is written frame by frame, and appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from mien.errors import MienError
from mien.io.files import atomic_file, expand_user
from mien.vision.places import SourceFiles
from mien.vision.sources.base import Frame


class AtomicTarget:
    """A file that is written under a temporary name, and gets its own name when it is closed.

    Args:
        path: path of the file, which is replaced.

    Attributes:
        path: path of the file, with ``~`` expanded.
        temporary: path to write to.

    Raises:
        MienError: if the file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = expand_user(path)
        self._has_frames = self._is_source = False
        self._parts = ExitStack()
        self.temporary = self._parts.enter_context(atomic_file(self.path))

    def open_text(self) -> TextIO:
        """Return the temporary file, open for text; it is closed with the target."""
        return self._parts.enter_context(
            self.temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        )

    def on_close(self, function: Callable[[], None]) -> None:
        """Register a function to call when the target is closed, the last one first."""
        self._parts.callback(function)

    def before_renaming(self, function: Callable[[], None]) -> None:
        """Register a function to call at closing if the file is kept, the last one first.

        An error that it raises discards the file.
        """

        def call(error: type[BaseException] | None, *_: object) -> None:
            if error is None:
                function()

        self._parts.push(call)

    @contextmanager
    def adding(self, frame: Frame) -> Iterator[None]:
        """Write a frame inside this block.

        Raises:
            MienError: if the file is the source of the frame, or cannot be written.
        """
        self._is_source |= is_source(self.path, frame)
        if self._is_source:
            raise source_refused(self.path, frame)
        self._has_frames = True
        try:
            yield
        except OSError as error:
            raise MienError(f"{self.path}: cannot be written ({error.strerror})") from error

    def close(self) -> list[Path]:
        """Return the path of the finished file; nothing without a frame, or at a second call."""
        is_kept = self._has_frames and not self._is_source
        self._has_frames = False
        with suppress(_Discarded), self._parts.pop_all():
            if not is_kept:
                raise _Discarded
        return [self.path] if is_kept else []


class _Discarded(Exception):  # noqa: N818 - a signal to `atomic_file`, no error
    pass


def is_source(path: Path, frame: Frame) -> bool:
    """Return whether a path leads to the file that a frame comes from."""
    return path in SourceFiles([frame.source])


def source_refused(path: Path, frame: Frame) -> MienError:
    """Return the error for an output that would replace the source of a frame."""
    kind = "photo" if frame.seconds is None else "video"
    return MienError(f"{path}: is the {kind} itself, which is never replaced; choose another path")
