"""The plan of a job: list the sources, and cut them into parts, each the work of one file.

The plan follows from the listing alone, so that a job that resumes makes the same one again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Final, Literal

from mien.batch.stores import Entry, normal_path, reason, shown, store_of, with_options
from mien.data.formats._parquet_rows import import_pyarrow
from mien.errors import MienError, SourceError, nearest
from mien.images.decode import IMAGE_SUFFIXES
from mien.vision.sources.video import VIDEO_SUFFIXES

Kind = Literal["photos", "parquet", "shard", "video"]

SHARD_SUFFIXES: Final = (".tar", ".tar.gz", ".tgz")  # of WebDataset
_FOOTERS_AT_ONCE: Final = 16
_MANY_PARTS: Final = 32
_LEAST_PHOTOS: Final = 32  # of a part, if there are more parts
_EXPECTED: Final = (
    "photos, videos, Parquet files with a column of images, or WebDataset shards (.tar)"
)


@dataclass(frozen=True)
class Part:
    """The work of one output file.

    Args:
        number: position of the part in the plan, from 0.
        kind: kind of its sources.
        paths: paths or addresses of the photos; of the one file if it is of another kind.
        first: position of the first photo among all photos of the job, or of the first row in its
            Parquet file; 0 for other kinds.
        count: number of pictures or videos; None for a shard, which is known once it is read.
        row_groups: row groups of a Parquet file; empty if its footer cannot be read.
    """

    number: int
    kind: Kind
    paths: tuple[str, ...]
    first: int = 0
    count: int | None = None
    row_groups: tuple[int, ...] = ()

    def to_json(self) -> str:
        """Return the part as text, for another machine; names that are no text survive it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Part:
        """Return the part of a text."""
        fields = json.loads(text)
        return cls(
            **{**fields, "paths": tuple(fields["paths"]), "row_groups": tuple(fields["row_groups"])}
        )

    @property
    def file_name(self) -> str:
        """Name of the output file."""
        return f"part-{self.number:06}.parquet"


@dataclass
class Plan:
    """All parts of a job.

    Args:
        parts: parts, by their numbers.
        digest: SHA-256 of the listing and of the parts.
        left_out: number of files of other kinds, by suffix.
    """

    parts: list[Part]
    digest: str
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def pictures(self) -> int | None:
        """Number of pictures and videos; None if there are shards, whose content is unknown."""
        counts = [part.count for part in self.parts]
        return None if None in counts else sum(count or 0 for count in counts)


def make_plan(sources: Sequence[str], *, column: str, part_pictures: int) -> Plan:
    """Return the plan of a job.

    Args:
        sources: paths or addresses of files and folders; a folder with its subfolders.
        column: column of the pictures in Parquet files.
        part_pictures: largest number of photos in a part; row groups of Parquet files and shards
            are not cut.

    Raises:
        SourceError: if a source does not exist or cannot be listed, or there is nothing to read.
        MienError: if a Parquet file has no such column.
    """
    left_out: Counter[str] = Counter()
    found: dict[Kind, list[Entry]] = {"photos": [], "parquet": [], "shard": [], "video": []}
    digest = hashlib.sha256()
    for source in map(normal_path, sources):
        for entry, is_named in _listed(source):
            kind = kind_of(entry.path) or ("photos" if is_named else None)
            if kind is None:
                left_out[_suffix(entry.path)] += 1
                continue
            digest.update(f"{kind}\0{shown(entry.path)}\0{entry.size}\n".encode())
            found[kind].append(Entry(with_options(entry.path, source), entry.size))
    if not any(found.values()):
        there = f"; there: {_counts(left_out)}" if left_out else ""
        named = ", ".join(shown(source) for source in sources)
        raise SourceError(f"{named or 'no source'}: nothing to read, expected {_EXPECTED}{there}")
    parts: list[Part] = []
    photos = [entry.path for entry in found["photos"]]
    # Smaller parts for fewer photos, so that every core has some.
    part_photos = min(part_pictures, max(_LEAST_PHOTOS, -(-len(photos) // _MANY_PARTS)))
    for first in range(0, len(photos), part_photos):
        paths = tuple(photos[first : first + part_photos])
        parts.append(Part(len(parts), "photos", paths, first, len(paths)))
    for path, groups in _row_counts([one.path for one in found["parquet"]], column):
        for first, numbers, count in _cut(groups, part_pictures):
            parts.append(Part(len(parts), "parquet", (path,), first, count, numbers))
    parts += [
        Part(number, "shard", (entry.path,))
        for number, entry in enumerate(found["shard"], len(parts))
    ]
    parts += [
        Part(number, "video", (entry.path,), count=1)
        for number, entry in enumerate(found["video"], len(parts))
    ]
    for part in parts:
        digest.update(f"{part.number} {part.kind} {part.first} {part.count}\n".encode())
    return Plan(parts, digest.hexdigest(), left_out)


def kind_of(path: str) -> Kind | None:
    """Return the kind of a file by its name; None if no file of that name is read."""
    name = path.partition("?")[0].lower() if "://" in path else path.lower()
    if name.endswith(SHARD_SUFFIXES):
        return "shard"
    suffix = _suffix(name)
    if suffix == ".parquet":
        return "parquet"
    return "photos" if suffix in IMAGE_SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else None


def describe_left_out(left_out: Counter[str]) -> str:
    """Return a line about the files of other kinds; empty if there are none."""
    count = left_out.total()
    noun = "file" if count == 1 else "files"
    return f"{count:,} {noun} of other kinds left out: {_counts(left_out)}" if count else ""


def _suffix(path: str) -> str:
    name = path.rpartition("/")[2]
    return f".{name.rpartition('.')[2].lower()}" if "." in name[1:] else ""


def _counts(left_out: Counter[str]) -> str:
    common = left_out.most_common(6)
    return ", ".join(f"{count:,} {suffix or 'without a suffix'}" for suffix, count in common)


def _listed(source: str) -> Iterator[tuple[Entry, bool]]:
    """Yield the files of a source, and whether the user named the file itself.

    Raises:
        SourceError: if there is no such file or folder, or it cannot be listed.
    """
    store = store_of(source)
    try:
        size = store.size(source)
        if size is None:
            yield from ((entry, False) for entry in store.walk(source))
        else:
            yield Entry(source.partition("?")[0] if "://" in source else source, size), True
    except (OSError, UnicodeError) as error:
        raise SourceError(
            f"{shown(source)}: cannot be listed ({reason(error)}), expected {_EXPECTED}"
        ) from None


def _row_counts(paths: Sequence[str], column: str) -> Iterator[tuple[str, list[int]]]:
    """Yield each Parquet file with the number of rows in each of its row groups.

    The list is empty for a file whose footer cannot be read.
    """
    if not paths:
        return
    _, pq = import_pyarrow()

    def counts(path: str) -> list[int] | MienError:
        try:
            with store_of(path).open(path) as handle:
                footer = pq.ParquetFile(handle)
                names, metadata = footer.schema_arrow.names, footer.metadata
                if column not in names:
                    return MienError(
                        f"{shown(path)}: no column {column!r}{nearest(column, names)} among "
                        f"{', '.join(names)}; expected the bytes of image files, name the column "
                        "with --column"
                    )
                return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        except Exception:  # pyarrow raises errors of every type; reported as the file's row
            return []

    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        for path, found in zip(paths, pool.map(counts, paths), strict=True):
            if isinstance(found, MienError):
                raise found
            yield path, found


def _cut(groups: Iterable[int], part_pictures: int) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """Yield the first row, the row groups and the number of rows of each part of a Parquet file."""
    sizes = list(groups)
    if not sizes:
        yield 0, (), 1  # one row, which says why the file cannot be read
        return
    first, count = 0, 0
    numbers: list[int] = []
    for number, size in enumerate(sizes):
        if numbers and count + size > part_pictures:
            yield first, tuple(numbers), count
            first, numbers, count = first + count, [], 0
        numbers.append(number)
        count += size
    yield first, tuple(numbers), count
