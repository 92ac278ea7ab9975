"""Read the parts of a job on a Ray cluster: Ray Data gives them to actors, one reader in each.

Ray restarts an actor whose process or machine is lost, and gives its part to another one.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import mien
from mien.batch.plan import Part
from mien.batch.table import Counts
from mien.batch.worker import Job, Worker
from mien.bundle.bundle import find_bundle, shipped_bundles
from mien.errors import MienError, first_line
from mien.vision.sources.base import Stop

_CONNECT_S: Final = 5.0
_MOST_BLOCKS: Final = 10_000  # Ray keeps a record of each


class _Actor:
    """A worker as Ray Data calls it.

    Args:
        job: job of the parts.
    """

    def __init__(self, job: Job) -> None:
        self._worker: Worker | MienError
        try:
            self._worker = Worker(job, lambda: False)
        except MienError as error:
            self._worker = error

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Read the parts of a batch, of which there is one; return their counts."""
        rows = [self._read(Part.from_json(part)) for part in batch["part"]]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def _read(self, part: Part) -> dict[str, Any]:
        counts, error = Counts(), ""
        try:
            if isinstance(self._worker, MienError):
                raise self._worker
            counts = self._worker.read(part)
        except MienError as problem:
            error = str(problem)
        return {"number": part.number, "problem": error, **asdict(counts)}


def read_on_ray(
    job: Job, parts: Sequence[Part], *, workers: int, address: str | None, stop: Stop
) -> Iterator[tuple[Part, Counts]]:
    """Read parts by Ray actors; yield each with its counts once its file is there.

    Args:
        job: job of the parts.
        parts: parts to read.
        workers: number of actors; 0 for one on each core of the cluster.
        address: address of a cluster; None for one of its own on this machine.
        stop: condition that ends the work.

    Raises:
        MienError: if no cluster answers at the address, a result cannot be written, or Ray fails.
    """
    ray = _connect(address, workers)
    try:
        cores = int(ray.cluster_resources().get("CPU", 1))
        workers = min(workers or cores, len(parts))
        by_number = {part.number: part for part in parts}
        for row in _rows_here_or_there(ray, job, parts, workers, address):
            problem = row.pop("problem")
            if problem:
                raise MienError(problem)
            yield by_number[row.pop("number")], Counts(**row)
            if stop():
                return
    except ray.exceptions.RayError as error:
        raise MienError(
            f"the Ray cluster failed ({first_line(error, most=300)}); --resume goes on"
        ) from None
    finally:
        ray.shutdown()


def _rows_here_or_there(
    ray: Any, job: Job, parts: Sequence[Part], workers: int, address: str | None
) -> Iterator[dict[str, Any]]:
    """Yield a row for each part; Ray Data is driven on the cluster if this is a Ray Client."""
    job = _portable(job)
    if not (address or "").startswith("ray://"):
        yield from _rows(job, parts, workers)
        return
    driver = ray.remote(num_cpus=0)(_Driver).remote(job, parts, workers)
    while (row := ray.get(driver.next.remote())) is not None:
        yield row


class _Driver:
    """Drives Ray Data from inside a cluster, because it cannot be driven by a Ray Client.

    Args:
        job: job of the parts.
        parts: parts to read.
        workers: number of actors.
    """

    def __init__(self, job: Job, parts: Sequence[Part], workers: int) -> None:
        self._rows = _rows(job, parts, workers)

    def next(self) -> dict[str, Any] | None:
        """Return the row of the next part that has been read; None after the last one."""
        return next(self._rows, None)


def _rows(job: Job, parts: Sequence[Part], workers: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each part, as soon as its actor has read it."""
    import ray
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised as well
    items = [{"part": part.to_json()} for part in parts]
    data = ray.data.from_items(items, override_num_blocks=min(len(items), _MOST_BLOCKS))
    gpus = 1 if job.settings.provider == "cuda" else None
    done = data.map_batches(
        _Actor,
        fn_constructor_args=(job,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=gpus,
    )
    for row in done.iter_rows():
        yield dict(row)


def _portable(job: Job) -> Job:
    """Return a job with the content of its files, which other machines may not have.

    A shipped Bundle goes by its name: Ray cannot restart an actor whose large arguments are lost.
    """
    settings = job.settings
    if shipped := next(
        (name for name in shipped_bundles() if find_bundle(name) == Path(settings.model or "")),
        None,
    ):
        settings = replace(settings, model=shipped)
    paths = {"model": settings.model, "detector_model": settings.detector_model}
    files = {
        name: Path(path).read_bytes()
        for name, path in paths.items()
        if path is not None and Path(path).is_file()
    }
    return replace(job, settings=settings, files=files)


def _connect(address: str | None, workers: int) -> Any:
    """Return the module ``ray``, connected to a cluster; one of its own has room for all workers.

    Raises:
        MienError: if no cluster answers.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before the import: no report of what is used
    import ray

    try:
        ray.init(
            address=address or "local",
            num_cpus=None if address else max(workers, os.cpu_count() or 1),
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=None if address else False,
            runtime_env=_environment(address),
        )
    except Exception as error:  # ray raises errors of many types
        where = address or "a Ray cluster on this machine"
        hint = "; a cluster with tokens needs RAY_AUTH_MODE=token here" if address else ""
        raise MienError(
            f"{where}: cannot be joined ({first_line(error, most=300)}){hint}"
        ) from None
    return ray


def _environment(address: str | None) -> dict[str, Any]:
    """Return Ray's description of the workers: they import the mien that runs here."""
    if address is None:
        return {"env_vars": {"PYTHONPATH": str(Path(mien.__file__).parents[1])}}
    return {"py_modules": [str(Path(mien.__file__).parent)]}


def check_cluster(address: str | None) -> None:
    """Raise an error at once if Ray is missing or nothing listens; Ray itself waits for minutes.

    Args:
        address: address of a cluster; None for one of its own on this machine.

    Raises:
        MienError: if no cluster answers there.
        ModuleNotFoundError: if Ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise ModuleNotFoundError(name="ray")
    if address in (None, "auto", "local"):
        return
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise MienError(
            f"--address {address}: expected the address of a Ray cluster, such as "
            "ray://head-node:10001, head-node:6379 or auto"
        )
    try:
        socket.create_connection((host, port), timeout=_CONNECT_S).close()
    except OSError as error:
        raise MienError(
            f"{address}: no Ray cluster answers there ({error.strerror or error}); start one with "
            "ray start --head, or leave out --address to use the cores of this machine"
        ) from None
