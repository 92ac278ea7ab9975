"""Several sources as one: they are opened one after another, and those that fail are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from mien.errors import SourceError
from mien.vision.sources.base import Frame, Kind, Limits, Opener, Source, Stop

SUPPORTED: Final = (
    "expected a photo, a folder, a pattern such as 'photos/**/*.jpg', a video, the number of a "
    "camera, an address (http://, https://, rtsp://), a numpy array, a PIL image, the bytes of an "
    "image file, or a list of these"
)


@dataclass(frozen=True)
class Part:
    """A spec and the opener that accepts it.

    Args:
        spec: spec of a single source, or the error that is raised when its turn comes.
        opener: opener that accepts the spec; None if none does.
    """

    spec: object
    opener: Opener | None

    @classmethod
    def of(cls, spec: object, openers: Sequence[Opener]) -> Self:
        """Return a part: a spec with the first opener that accepts it."""
        return cls(spec, next((opener for opener in openers if opener.opens(spec)), None))

    @property
    def kind(self) -> Kind:
        """Return the kind that the part is expected to be, by its name alone."""
        return self.opener.kind(self.spec) if self.opener else "photos"

    @property
    def name(self) -> str:
        """Return the name by which the part is shown; an empty string for pixels and errors."""
        return self.opener.name(self.spec) if self.opener else ""


def open_one(part: Part, *, limits: Limits, stop: Stop) -> Source:
    """Open a single source.

    Raises:
        SourceError: if no opener accepts the spec, or the source cannot be opened.
    """
    if isinstance(part.spec, SourceError):
        raise part.spec
    if part.opener is None:
        raise SourceError(f"a source of type {type(part.spec).__name__}, {SUPPORTED}")
    return part.opener.open(part.spec, limits=limits, stop=stop)


class SeveralSources(Source):
    """Several sources, each opened when its turn comes.

    Args:
        name: folder or pattern that they come from; an empty string for a list.
        parts: specs of the sources and their openers.
        limits: limits on each source.
        stop: condition that ends the iteration.
    """

    def __init__(self, name: str, parts: Sequence[Part], *, limits: Limits, stop: Stop) -> None:
        kinds = {part.kind for part in parts}
        kind: Kind = "live" if "live" in kinds else "video" if "video" in kinds else "photos"
        super().__init__(name, kind, total=len(parts) if kind == "photos" else None)
        self.names = [part.name for part in parts]
        self._parts = parts
        self._limits = limits
        self._stop = stop
        self._is_closed = False
        self._current: Source | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames of each source; an error of one is added to ``failures``."""
        self.failures.clear()
        for number, part in enumerate(self._parts, 1):
            if self._is_closed or self._stop():
                return
            try:
                yield from self._frames(part)
            except SourceError as error:
                has_name = part.name or part.spec is error  # an error names its own source
                where = "" if has_name else f"number {number:,}: "
                self.failures.append(SourceError(f"{where}{error}"))

    def close(self) -> None:
        """End the iteration and close the source that is being read."""
        self._is_closed = True
        if self._current is not None:
            self._current.close()

    def _frames(self, part: Part) -> Iterator[Frame]:
        self._current = open_one(part, limits=self._limits, stop=self._stop)
        with self._current as current:
            if self._is_closed:  # by another thread, while the source was being opened
                return
            if self.kind == "photos" and current.kind != "photos":
                raise SourceError(
                    f"{current.name}: a video or a stream with the name of a photo; open it "
                    f"separately"
                )
            try:
                yield from current
            finally:
                self.failures += current.failures
                self.dropped += current.dropped
