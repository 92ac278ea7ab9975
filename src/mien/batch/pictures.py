"""The pictures of a part, one by one: from photos, rows of Parquet files, or WebDataset shards."""

from __future__ import annotations

import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Final, NamedTuple

from mien.batch.plan import Part, kind_of
from mien.batch.stores import reason, shown, store_of
from mien.data.formats._parquet_rows import import_pyarrow
from mien.errors import SourceError, first_line
from mien.types import Image
from mien.vision.pipeline import Step
from mien.vision.sources._picture import decode_photo
from mien.vision.sources.base import Frame, Limits, Source

_DOWNLOADS: Final = 8  # at once, because each waits for its server
_ROWS_AT_ONCE: Final = 16  # of a Parquet file, in memory


class Picture(NamedTuple):
    """The file of one picture.

    Args:
        item: position of the picture in its collection.
        name: name of the picture: its path, or that of the file that it is in.
        content: content of the image file, or the error of reading it.
    """

    item: int
    name: str
    content: bytes | SourceError


class Failed(NamedTuple):
    """A picture that could not be read, or not completely.

    Args:
        item: position of the picture in its collection.
        name: name of the picture.
        error: reason why it could not be read, in one line.
        is_partial: True if a part of the picture was read, which then has a frame as well.
    """

    item: int
    name: str
    error: str
    is_partial: bool


class Pictures(Source):
    """The pictures of a part as a source, which goes on after a picture that cannot be read.

    Attributes:
        failed: pictures that could not be read, or not completely, in order. The caller removes
            them as it goes on.
        pictures: number of pictures so far.
        other_members: number of files in a shard that are no pictures, such as labels.

    Args:
        part: part to read.
        column: column of the pictures in a Parquet file.
        max_pixels: largest number of pixels in one picture.
        before: function that is called with each item before it is decoded; it returns why the
            picture is left out, or an empty string.
    """

    def __init__(
        self,
        part: Part,
        *,
        column: str,
        max_pixels: int,
        before: Callable[[int], str] | None = None,
    ) -> None:
        super().__init__(shown(part.paths[0]), "photos", total=part.count)
        self.reads_ahead = before is None  # else one picture at a time
        self.failed: deque[Failed] = deque()
        self.pictures = self.other_members = 0
        self._part, self._column, self._before = part, column, before
        self._limits = Limits(max_pixels)

    def __iter__(self) -> Iterator[Frame]:
        """Yield a frame for each picture that can be decoded."""
        for picture in self._files():
            self.pictures += 1
            image = self._decoded(picture)
            if image is not None:
                yield Frame(image, picture.name, item=picture.item)

    def _decoded(self, picture: Picture) -> Image | None:
        """Return the pixels of a picture; None, with a failure, if it cannot be read."""
        item, name, content = picture
        image = None
        try:
            if self._before and (why := self._before(item)):
                raise SourceError(f"{name}: {why}")
            if isinstance(content, SourceError):
                raise content
            image = decode_photo(content, name, self._limits, self)
        except SourceError as error:
            self.failures.append(error)
        if self.failures:
            error_text = "; ".join(map(str, self.failures))
            self.failed.append(Failed(item, name, error_text, is_partial=image is not None))
        self.failures.clear()
        self.notes.clear()
        return image

    def close(self) -> None:
        """Do nothing: each file is closed once it is read."""

    def _files(self) -> Iterator[Picture]:
        match self._part.kind:
            case "parquet":
                return self._rows()
            case "shard":
                return self._members()
        return self._photos()

    def _photos(self) -> Iterator[Picture]:
        part = self._part
        is_local = store_of(part.paths[0]).is_local

        def read(number: int) -> Picture:
            path = part.paths[number]
            name = shown(path)
            content: bytes | SourceError
            try:
                content = self._read(path)
            except SourceError as error:
                content = error
            except (OSError, UnicodeError) as error:
                content = SourceError(f"{name}: cannot be read ({reason(error)})")
            return Picture(part.first + number, name, content)

        ahead = 0 if is_local or not self.reads_ahead else 2 * _DOWNLOADS
        step = Step(read, lambda _: 0, workers=_DOWNLOADS, ahead=ahead)
        return step.apply(range(len(part.paths)))

    def _read(self, path: str) -> bytes:
        """Return the content of an image file of limited size."""
        most = self._limits.max_bytes
        with store_of(path).open(path) as handle:
            content = handle.read(most + 1)
        self._check_bytes(len(content), shown(path))
        return content

    def _check_bytes(self, count: int, name: str) -> None:
        if count > self._limits.max_bytes:
            raise SourceError(
                f"{name}: a file of more than {self._limits.max_bytes >> 20:,} MB, too large for a "
                f"picture of {self._limits.max_pixels / 1e6:,.1f} million pixels; raise the limit "
                "with --max-pixels"
            )

    def _rows(self) -> Iterator[Picture]:
        """Yield the pictures of a Parquet file; if it breaks off, the rest are errors."""
        part, (path,) = self._part, self._part.paths
        _, pq = import_pyarrow()
        name, item, end = shown(path), part.first, part.first + (part.count or 0)
        try:
            with store_of(path).open(path) as handle:
                table = pq.ParquetFile(handle)
                batches = table.iter_batches(
                    _ROWS_AT_ONCE, row_groups=list(part.row_groups), columns=[self._column]
                )
                for batch in batches:
                    for cell in batch.column(0):
                        yield Picture(item, name, self._cell(cell, f"{name}: row {item + 1:,}"))
                        item += 1
        except GeneratorExit:
            raise
        except Exception as error:  # pyarrow raises errors of every type
            why = f"{name}: cannot be read from row {item + 1:,} on ({first_line(error)})"
            yield from (Picture(rest, name, SourceError(why)) for rest in range(item, end))
            return
        for rest in range(item, end):  # the file has changed since the plan was made
            yield Picture(rest, name, SourceError(f"{name}: has no row {rest + 1:,} any more"))

    def _cell(self, cell: Any, where: str) -> bytes | SourceError:
        try:
            value = cell.as_py()
        except Exception as error:  # pyarrow raises errors of every type
            return SourceError(f"{where} cannot be read ({first_line(error)})")
        if isinstance(value, dict):  # an image of Hugging Face's datasets
            value = value.get("bytes")
        if not isinstance(value, bytes):
            found = "no image" if value is None else f"a {type(value).__name__}"
            return SourceError(f"{where} holds {found}, expected the bytes of an image file")
        try:
            self._check_bytes(len(value), where)
        except SourceError as error:
            return error
        return value

    def _members(self) -> Iterator[Picture]:
        """Yield the pictures of a shard, as a stream; its damage is a picture of its own."""
        (path,) = self._part.paths
        shard, item = shown(path), 0
        try:
            with (
                store_of(path).open(path) as handle,
                closing(tarfile.open(fileobj=handle, mode="r|*")) as archive,
            ):
                for member in archive:
                    if not member.isfile() or kind_of(member.name) not in ("photos", "video"):
                        self.other_members += member.isfile()
                        continue
                    name = f"{shard}/{member.name}".encode(errors="backslashreplace").decode()
                    yield Picture(item, name, self._member(archive, member, name))
                    item += 1
                    archive.members = []  # type: ignore[attr-defined]  # it would keep them all
        except GeneratorExit:
            raise
        except Exception as error:  # tarfile and its decompressors raise errors of many types
            why = f"{shard}: cannot be read after {item:,} pictures ({first_line(error)})"
            yield Picture(item, shard, SourceError(why))

    def _member(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str
    ) -> bytes | SourceError:
        if kind_of(member.name) == "video":
            return SourceError(f"{name}: a video in a shard, expected photos; unpack it")
        try:
            self._check_bytes(member.size, name)
        except SourceError as error:
            return error
        handle = archive.extractfile(member)
        content = handle.read() if handle else b""
        if len(content) < member.size:
            raise tarfile.ReadError("unexpected end of data")
        return content
