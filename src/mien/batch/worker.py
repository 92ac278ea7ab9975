"""Read one part after another in a process of its own, each to a file that appears whole."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from mien.batch.attempts import Attempts
from mien.batch.pictures import Pictures
from mien.batch.plan import Part
from mien.batch.settings import BatchSettings
from mien.batch.stores import is_address, join, reason, shown, store_of
from mien.batch.table import Counts, PartTable, read_counts
from mien.data.formats._parquet_rows import import_pyarrow
from mien.errors import MienError, SourceError
from mien.vision.reader import Reader
from mien.vision.sources import Source, open_source

RECORD: Final = "_batch.json"


class StoppedError(Exception):
    """The job was stopped while a part was being read."""


@dataclass(frozen=True)
class Job:
    """What every worker of a job needs.

    Args:
        settings: detector, model and limits of the reading, and size of the parts.
        out: path or address of the results.
        digest: checksum of the plan, by which a worker knows that it sees the results' folder.
        files: content of the files that `settings` names, by the name of the setting, for workers
            on other machines; empty if they share this machine.
    """

    settings: BatchSettings
    out: str
    digest: str
    files: dict[str, bytes] = field(default_factory=dict)

    def reader(self) -> Reader:
        """Return the reader of the job."""
        with tempfile.TemporaryDirectory(prefix="mien-") as folder:
            paths: dict[str, Any] = {}
            for name, content in self.files.items():
                paths[name] = Path(folder, f"{name}.onnx")
                paths[name].write_bytes(content)
            return new_reader(replace(self.settings, **paths))


def new_reader(settings: BatchSettings) -> Reader:
    """Return the reader that some settings describe."""
    return Reader(
        settings.model,
        detector=settings.detector,
        detector_model=settings.detector_model,
        smoothing_s=settings.smoothing_s,
        threads=settings.threads,
        provider=settings.provider,
        min_face_px=settings.min_face_px,
        min_score=settings.min_score,
        turned=settings.turned,
    )


class Worker:
    """Reads parts, one at a time.

    Args:
        job: job of the parts.
        stop: condition that ends the reading of a part.

    Raises:
        MienError: if the folder of the results is not the one that the job has written to.
    """

    def __init__(self, job: Job, stop: Callable[[], bool]) -> None:
        self._job, self._stop = job, stop
        self._store = store_of(job.out)
        self._refuse_other_disk()
        self._reader = job.reader()

    def read(self, part: Part) -> Counts:
        """Read a part and write its file, unless that is there already; return its counts.

        Raises:
            StoppedError: if the job was stopped.
            MienError: if the file cannot be written.
        """
        path = join(self._job.out, part.file_name)
        if counts := finished_counts(path):
            return counts
        try:
            attempts = Attempts(self._job.out, part.file_name)
            table = PartTable(self._reader.bundle.label_set)
            before = attempts.before if attempts.is_careful else None
            if part.kind == "video":
                self._read_video(part, table, before)
            else:
                self._read_pictures(part, table, before)
            self._store.write(path, table.content())
            attempts.finished()
        except OSError as error:
            raise MienError(f"{shown(path)}: cannot be written ({reason(error)})") from None
        return table.counts

    def _read_pictures(
        self, part: Part, table: PartTable, before: Callable[[int], str] | None
    ) -> None:
        settings = self._job.settings
        source = Pictures(
            part, column=settings.column, max_pixels=settings.most_pixels, before=before
        )
        for frame, readings in self._reader.stream(source):
            if self._stop():
                raise StoppedError
            partial = self._add_failed(table, source, until=frame.item)
            table.add(frame, readings, if_empty=True, error=partial)
        self._add_failed(table, source, until=None)
        table.counts.pictures = source.pictures
        table.counts.other_members = source.other_members

    def _add_failed(self, table: PartTable, source: Pictures, *, until: int | None) -> str | None:
        """Add a row for each picture that could not be read, up to an item; for all if None.

        Returns:
            The error of the picture of that item itself; None if it was read completely.
        """
        failed = source.failed
        while failed and (until is None or failed[0].item <= until):
            item, name, error, is_partial = failed.popleft()
            table.counts.errors += 1
            if is_partial:
                return error
            table.counts.unread += 1
            table.add_error(name, item, error)
        return None

    def _read_video(
        self, part: Part, table: PartTable, before: Callable[[int], str] | None
    ) -> None:
        (path,) = part.paths
        name, settings = shown(path), self._job.settings
        rows = frames = 0
        failures: list[SourceError] = []
        try:
            if before and (why := before(0)):
                raise SourceError(f"{name}: {why}")
            with self._open_video(path) as source:
                for frame, readings in self._reader.stream(source):
                    if self._stop():
                        raise StoppedError
                    frames += 1
                    frame = replace(frame, image=frame.image[:0], source=name)
                    readings = [replace(one, source=name) for one in readings]
                    rows += table.add(frame, readings, if_empty=settings.all_frames)
                failures = source.failures
        except SourceError as error:
            failures = [error]
        if failures:
            table.add_error(name, 0, "; ".join(map(str, failures)))
            table.counts.errors += 1
            table.counts.unread += not frames
        elif not rows:
            table.add_empty(name, 0)
        table.counts.pictures = 1

    def _open_video(self, path: str) -> Source:
        settings = self._job.settings
        source: object = path
        try:
            if is_address(path):
                source = store_of(path).open(path)
            return open_source(
                source,  # type: ignore[arg-type]
                every=settings.every,
                max_pixels=settings.most_pixels,
            )
        except OSError as error:
            raise SourceError(f"{shown(path)}: cannot be read ({reason(error)})") from None

    def _refuse_other_disk(self) -> None:
        record = join(self._job.out, RECORD)
        try:
            is_there = self._job.digest.encode() in self._store.read(record)
        except OSError:
            is_there = False
        if not is_there:
            import platform

            raise MienError(
                f"{shown(self._job.out)}: not the same folder on the machine {platform.node()}; "
                "expected storage that all machines share, such as s3://bucket/folder"
            )


def finished_counts(path: str) -> Counts | None:
    """Return the counts of a part's file; None if it is missing or not whole."""
    _, pq = import_pyarrow()
    try:
        with store_of(path).open(path) as handle:
            return read_counts(pq.read_metadata(handle))
    except Exception:  # pyarrow raises errors of every type for what is no Parquet file
        return None
