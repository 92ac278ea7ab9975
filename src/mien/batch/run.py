"""Run a batch job: make the plan, keep its record, read the parts that are missing, sum up.

Read from the top: `run_batch` is what users call.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from mien.batch.attempts import FOLDER as ATTEMPTS
from mien.batch.local import read_locally
from mien.batch.plan import Part, Plan, describe_left_out, make_plan
from mien.batch.settings import BatchSettings
from mien.batch.stores import (
    Store,
    join,
    normal_path,
    reason,
    shown,
    store_of,
    with_options,
)
from mien.batch.table import Counts
from mien.batch.worker import RECORD, Job, finished_counts, new_reader
from mien.data.formats._parquet_rows import import_pyarrow
from mien.errors import Interrupted, MienError
from mien.io.files import locked_folder
from mien.io.interrupt import asked_to_stop
from mien.io.threads import usable_cores
from mien.version import VERSION
from mien.vision.detectors._yunet_file import find_yunet
from mien.vision.reader import Reader

Engine = Literal["local", "ray"]

_LOOKS_AT_ONCE: Final = 16


class BatchListener:
    """Progress listener for a batch job, which does nothing; subclasses override some methods."""

    def planned(self, plan: Plan, done: dict[int, Counts]) -> None:
        """Announce the plan, and the counts of the parts that earlier runs of the job have read."""

    def noticed(self, note: str) -> None:
        """Announce a note about the sources, the detector or the provider."""

    def part_ended(self, part: Part, counts: Counts) -> None:
        """Announce a part whose file is there."""


@dataclass(frozen=True)
class Summary:
    """The results of a job.

    Args:
        out: path or address of the folder with the results.
        parts: number of files.
        counts: pictures, faces and errors in these files.
    """

    out: str
    parts: int
    counts: Counts

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as plain data."""
        return {"out": self.out, "parts": self.parts, **asdict(self.counts)}


def run_batch(
    sources: Sequence[str | Path],
    out: str | Path,
    settings: BatchSettings | None = None,
    *,
    resume: bool = False,
    engine: Engine = "local",
    workers: int = 0,
    address: str | None = None,
    listener: BatchListener | None = None,
) -> Summary:
    """Read all pictures and videos of some sources to a folder of Parquet files.

    Args:
        sources: paths or addresses (``s3://``, ``gs://``) of photos, videos, Parquet files with a
            column of images, WebDataset shards, and folders of these, with their subfolders.
        out: path or address of a folder for the results, which must be new or empty.
        settings: detector, model and limits of the reading, and size of the parts.
        resume: True to go on with a job that was stopped or killed.
        engine: ``local`` for processes on this machine, ``ray`` for actors on a Ray cluster.
        workers: number of processes or actors; 0 for one on each core.
        address: address of the Ray cluster; None for one of its own on this machine.
        listener: progress listener.

    Returns:
        The summary of the whole job, earlier runs included.

    Raises:
        MienError: if a source cannot be listed, the folder cannot be written or holds something
            else, or a setting is wrong. A picture that cannot be read is no error but a row.
        Interrupted: if Ctrl-C or SIGTERM stopped the job.
    """
    settings, listener = settings or BatchSettings(), listener or BatchListener()
    import_pyarrow()
    folder = normal_path(os.fspath(out))
    paths = [os.fspath(source) for source in sources]
    _refuse_inside(folder, paths)
    if engine == "ray":
        from mien.batch.cluster import check_cluster

        check_cluster(address)
    store = store_of(folder)
    kept = _kept_record(store, folder, resume=resume)
    reader = new_reader(settings)
    plan = make_plan(paths, column=settings.column, part_pictures=settings.part_pictures)
    record = {**_record(settings, reader), "parts": len(plan.parts), "plan": plan.digest}
    if kept:
        _check_same(kept, record, folder)
    job = Job(_resolved(settings, reader), folder, plan.digest)
    with _lock(store, folder), asked_to_stop() as stop:
        _write_record(store, folder, record)
        found = _finished(folder, plan) if kept else {}
        for note in filter(None, _notes(plan, reader)):
            listener.noticed(note)
        listener.planned(plan, found)
        missing = [part for part in plan.parts if part.number not in found]
        for part, counts in _read(job, missing, engine, workers, address, stop):
            found[part.number] = counts
            listener.part_ended(part, counts)
        if len(found) < len(plan.parts):
            raise Interrupted(
                f"stopped after {len(found):,} of {len(plan.parts):,} parts, which are in "
                f"{shown(folder)}; --resume goes on"
            )
        counts = _verified(folder, plan)
        _clear_attempts(store, folder)
        _write_record(store, folder, {**record, "counts": asdict(counts)})
    return Summary(shown(folder), len(plan.parts), counts)


def _notes(plan: Plan, reader: Reader) -> Iterator[str]:
    yield describe_left_out(plan.left_out)
    yield reader.detector_note
    yield reader.bundle.provider_note


def _read(
    job: Job, parts: list[Part], engine: Engine, workers: int, address: str | None, stop: Any
) -> Iterator[tuple[Part, Counts]]:
    if not parts:
        return iter(())
    if engine == "ray":
        from mien.batch.cluster import read_on_ray

        return read_on_ray(job, parts, workers=workers, address=address, stop=stop)
    return read_locally(job, parts, workers=min(workers or usable_cores(), len(parts)), stop=stop)


def _refuse_inside(out: str, sources: Sequence[str]) -> None:
    """Raise a MienError if the results would lie in a source, where they would be read as well."""
    for source in map(normal_path, sources):
        if shown(out).startswith(f"{shown(source).rstrip('/')}/") or shown(out) == shown(source):
            raise MienError(
                f"{shown(out)}: lies in the source {shown(source)}; choose another folder for the "
                "results"
            )


def _resolved(settings: BatchSettings, reader: Reader) -> BatchSettings:
    """Return settings that mean the same on every machine: the detector by name, with its file."""
    file = settings.detector_model
    if reader.detector == "yunet":
        file = find_yunet(file)
    return replace(
        settings,
        model=str(reader.bundle.path),
        detector=reader.detector,
        detector_model=None if file is None else str(file),
    )


def _record(settings: BatchSettings, reader: Reader) -> dict[str, Any]:
    """Return what a job that resumes must have in common with its beginning."""
    content = reader.bundle.path.read_bytes()
    return {
        "format": "mien batch 1",
        "mien": VERSION,
        "model": reader.bundle.metadata.name,
        "model_sha256": hashlib.sha256(content).hexdigest(),
        "labels": list(reader.bundle.labels),
        "settings": {**settings.record(), "detector": reader.detector},
    }


def _kept_record(store: Store, out: str, *, resume: bool) -> dict[str, Any]:
    """Return the record of the job in the folder of the results; empty if the folder is free.

    Raises:
        MienError: if the folder is in the way: it is a file, or holds something else, or a job and
            `resume` is not set, or no job although it is set.
    """
    place = shown(out)
    try:
        if store.size(out) is not None:
            raise MienError(f"{place}: a file, expected a new folder for the results")
        is_free = next(store.walk(out), None) is None
    except FileNotFoundError:
        is_free = True
    except OSError as error:
        raise MienError(f"{place}: cannot be used ({reason(error)})") from None
    if is_free:
        if resume:
            raise MienError(f"{place}: no batch job to resume there; leave out --resume")
        return {}
    try:
        record = json.loads(store.read(join(out, RECORD)))
        kept: dict[str, Any] = {**record, "plan": str(record["plan"])}
    except (OSError, ValueError, TypeError, KeyError):
        raise MienError(
            f"{place}: exists already and holds something else; choose another folder"
        ) from None
    if not resume:
        state = "a finished" if kept.get("counts") else "an unfinished"
        raise MienError(
            f"{place}: exists already, with {state} batch job; add --resume to go on with it, or "
            "choose another folder"
        )
    return kept


def _check_same(kept: dict[str, Any], record: dict[str, Any], out: str) -> None:
    """Raise a MienError if a job that resumes is another one than the one that began."""
    before = {**kept.get("settings", {}), **kept}
    now = {**record["settings"], **record}
    names = {"plan": "the files of the sources", "model_sha256": "the model"}
    for name in ("model_sha256", "labels", *record["settings"], "plan"):
        if before.get(name) != now[name]:
            what = names.get(name, name)
            values = "" if name in names else f" ({before.get(name)} then, {now[name]} now)"
            raise MienError(
                f"{shown(out)}: cannot be resumed: {what} changed since the job began{values}; "
                "give the same sources and options, or another --out"
            )


def _write_record(store: Store, out: str, record: dict[str, Any]) -> None:
    try:
        store.write(join(out, RECORD), json.dumps(record, indent=2).encode())
    except OSError as error:
        raise MienError(f"{shown(out)}: cannot be written ({reason(error)})") from None


def _lock(store: Store, out: str) -> AbstractContextManager[None]:
    """Return a lock on a local folder; object storage has none, and equal parts do no harm."""
    if not store.is_local:
        return nullcontext()
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MienError(f"{shown(out)}: cannot be written ({reason(error)})") from None
    return locked_folder(Path(out), busy="another mien batch is writing there")


def _finished(out: str, plan: Plan) -> dict[int, Counts]:
    """Return the counts of the parts whose files are whole, by their numbers."""
    paths = [join(out, part.file_name) for part in plan.parts]
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        found = pool.map(finished_counts, paths)
        return {number: counts for number, counts in enumerate(found) if counts is not None}


def _verified(out: str, plan: Plan) -> Counts:
    """Return the counts of all files together, once it is sure that no row is missing.

    Raises:
        MienError: if a file is missing or damaged, or has fewer pictures than its sources.
    """
    found, total = _finished(out, plan), Counts()
    for part in plan.parts:
        counts = found.get(part.number)
        if counts is None or part.count not in (None, counts.pictures):
            raise MienError(
                f"{shown(join(out, part.file_name))}: missing or not whole; --resume reads its "
                "sources again (is the folder on storage that all machines share?)"
            )
        total.add(counts)
    return total


def _clear_attempts(store: Store, out: str) -> None:
    """Delete the notes on attempts, of which a killed process may have left some."""
    folder = join(out, ATTEMPTS)
    with suppress(OSError):
        for entry in list(store.walk(folder)):
            store.delete(with_options(entry.path, out))
        if store.is_local:
            Path(folder).rmdir()
