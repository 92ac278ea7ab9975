"""Open one spec: find its opener, apply the limits and the selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from mien.errors import SourceError
from mien.vision.sources.base import (
    ALL_FRAMES,
    Frame,
    Kind,
    Limits,
    Opener,
    Selection,
    Source,
    Stop,
)

SUPPORTED: Final = (
    "expected a photo, a folder, a pattern such as 'photos/**/*.jpg', a video, the number of a "
    "camera, an address (http://, https://, rtsp://), a numpy array, a PIL image, the content of "
    "an image or a video file as bytes or as an open file, a list of these, or an iterator of "
    "pictures"
)


@dataclass(frozen=True)
class Part:
    """A spec and the opener that accepts it.

    Args:
        spec: spec of a single source, or the error that is raised when its turn comes.
        opener: opener that accepts the spec; None if none does.
        item: position of the spec in the list that was given.
    """

    spec: object
    opener: Opener | None
    item: int = 0

    @classmethod
    def of(cls, spec: object, openers: Sequence[Opener], item: int = 0) -> Self:
        """Return a part: a spec with the first opener that accepts it."""
        return cls(spec, next((opener for opener in openers if opener.opens(spec)), None), item)

    @property
    def kind(self) -> Kind:
        """Return the kind that the part is expected to be, by its name alone."""
        return self.opener.kind(self.spec) if self.opener else "photos"

    @property
    def name(self) -> str:
        """Return the name by which the part is shown; an empty string for pixels and errors."""
        return self.opener.name(self.spec) if self.opener else ""


@dataclass(frozen=True)
class Opening:
    """The settings with which each source of a run is opened.

    Args:
        openers: openers, in the order in which they are tried.
        limits: limits on each source.
        stop: condition that ends the iteration.
        selection: wanted frames of videos and streams.
    """

    openers: Sequence[Opener]
    limits: Limits
    stop: Stop
    selection: Selection = ALL_FRAMES

    def part(self, spec: object, item: int = 0) -> Part:
        """Return a spec with its opener."""
        return Part.of(spec, self.openers, item)

    def open(self, spec: object) -> Source:
        """Open a single spec (see `open_part`)."""
        return self.open_part(self.part(spec))

    def open_part(self, part: Part) -> Source:
        """Open a part.

        Raises:
            SourceError: if no opener accepts the spec, or the source cannot be opened.
        """
        if isinstance(part.spec, SourceError):
            raise part.spec
        if part.opener is None:
            raise SourceError(f"a source of type {type(part.spec).__name__}, {SUPPORTED}")
        source = part.opener.open(part.spec, limits=self.limits, stop=self.stop)
        try:
            source.select(self.selection)
        except SourceError:
            source.close()
            raise
        return source

    def open_picture(self, spec: object) -> Frame:
        """Return the frame of a single picture.

        Raises:
            SourceError: if there is no such picture, or it is something else.
        """
        with self.open_part(self.part(spec)) as opened:
            if opened.kind != "photos":
                raise SourceError(f"{opened.name}: a {opened.kind} source, expected a photo")
            return next(iter(opened))
