"""Create the sinks that the options of ``mien predict`` name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mien.cli.readings import JsonArray, Screen
from mien.errors import MienError
from mien.io.files import expand_user
from mien.vision.places import refuse_source
from mien.vision.sinks.base import SINKS, Sink, SinkContext

COPY = "copy"  # annotated photos, or an annotated video, by the kind of the source


@dataclass(frozen=True)
class Request:
    """A sink that an option names.

    Args:
        name: name of the sink in `SINKS`, or `COPY`.
        target: path or other text for the sink; empty if it needs none.
        option: option by which the user named it, for errors.
    """

    name: str
    target: str
    option: str

    @classmethod
    def parse(cls, text: str) -> Request:
        """Return the request in ``NAME=PATH``, or in ``NAME`` for a sink without a target."""
        name, _, target = text.partition("=")
        return cls(name, target, f"--sink {name}")


def requests(options: dict[str, tuple[str, Path | None]], more: Iterable[str]) -> list[Request]:
    """Return the sinks that the options request.

    Args:
        options: name of a sink and its path by option; None for an option that was not given.
        more: arguments of ``--sink``.
    """
    named = [
        Request(name, str(path), option)
        for option, (name, path) in options.items()
        if path is not None
    ]
    return [*named, *map(Request.parse, more)]


def open_sinks(
    wanted: Iterable[Request], context: SinkContext, stack: ExitStack, *, as_json: bool
) -> list[Sink]:
    """Return the sinks of a run, the one for the terminal first.

    Args:
        wanted: requested sinks.
        context: source and settings of the run that the sinks belong to.
        stack: stack that closes them, even if a later one cannot be created.
        as_json: print JSON on the terminal instead of tables.

    Raises:
        MienError: if there is no sink of a name, its target cannot be written, or two sinks or a
            sink and a source are the same file.
    """
    found = [(_find(one, context), one) for one in wanted]
    _check_targets(found, context)
    terminal: type[Sink] = JsonArray if as_json else Screen
    sinks = [stack.enter_context(terminal.open("", context))]
    for sink, request in found:
        sinks.append(stack.enter_context(sink.open(request.target, context)))
    return sinks


def _find(request: Request, context: SinkContext) -> type[Sink]:
    copy = "photo" if context.source.kind == "photos" else "video"
    return SINKS[copy if request.name == COPY else request.name]


def _check_targets(found: Iterable[tuple[type[Sink], Request]], context: SinkContext) -> None:
    """Raise a MienError if a target is missing, or is a source or the file of two sinks."""
    files = set()
    for sink, request in found:
        if not request.target and sink.target != "nothing":
            raise MienError(f"{request.option}: expected {request.option}=PATH")
        if request.target and sink.target == "nothing":
            raise MienError(f"{request.option}={request.target}: expected {request.option} alone")
        if sink.target == "file":
            path = Path(request.target)
            refuse_source(path, context.source_files)
            place = os.path.normcase(os.path.realpath(expand_user(path)))
            if place in files:
                raise MienError(f"{path}: named for two outputs, one of which would be lost")
            files.add(place)
