"""Made sources of batch jobs, and a look at their results."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from mien.data.synthetic.faces import synthetic_faces

DAMAGED = b"\x89PNG\r\n\x1a\n and then nothing"


def pngs(count: int) -> list[bytes]:
    """Return crops as PNG files."""
    images = synthetic_faces(max(count, 7)).images[:count]  # one of each class at least
    return [cv2.imencode(".png", image)[1].tobytes() for image in images]


def write_photos(folder: Path, count: int, *, damaged: int = 0) -> Path:
    """Write photos, the first ones damaged, half of them in a subfolder."""
    (folder / "more").mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(pngs(count)):
        path = folder / ("more" if number % 2 else "") / f"{number:04}.png"
        path.write_bytes(DAMAGED if number < damaged else content)
    return folder


def write_parquet(path: Path, cells: list[object], *, group: int = 10, as_struct: bool = False):
    """Write images in a Parquet file of several row groups."""
    values = [{"bytes": cell, "path": None} if as_struct else cell for cell in cells]
    pq.write_table(pa.table({"image": values}), path, row_group_size=group)
    return path


def write_shard(path: Path, members: dict[str, bytes]) -> Path:
    """Write a WebDataset shard."""
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_clip(path: Path, frames: int = 12) -> Path:
    """Write a video of moving noise."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 96))
    generator = np.random.default_rng(0)
    for _ in range(frames):
        writer.write(generator.integers(0, 255, (96, 96, 3), np.uint8))
    writer.release()
    return path


def rows_of(out: Path | str, filesystem=None) -> list[dict]:
    """Return all rows of a job's results, in the order of its parts."""
    return ds.dataset(out, filesystem=filesystem).to_table().to_pylist()


def items_of(rows: list[dict]) -> set[tuple[str, int]]:
    """Return the pictures that some rows are about."""
    return {(row["source"], row["item"]) for row in rows}


def start_job(*arguments: object, **environment: str) -> subprocess.Popen:
    """Start ``mien batch`` in a process of its own, with more environment variables."""
    command = [sys.executable, "-m", "mien", "batch", *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def parts_in(out: Path) -> int:
    """Return how many files of the results are there."""
    return len(list(out.glob("part-*.parquet")))


def descendants(pid: int) -> dict[int, str]:
    """Return the command lines of the processes below one, by their numbers (Linux)."""
    parents, commands = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            commands[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has just ended
            continue
    below, found = {pid}, set()
    while below:
        below = {one for one, parent in parents.items() if parent in below} - found
        found |= below
    return {one: commands[one] for one in found if one in commands}


def is_running(pid: int) -> bool:
    """Return whether a process has not ended (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
