"""Commands on full and read-only disks: python -m tests.crash.disks train --folder NEW.

Needs mounts of its own: start it in a new user and mount namespace, `unshare --user
--map-root-user --mount`, where root of the namespace may mount without being root outside.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
from tests.crash.harness import TRACEBACK, Ended, command, fork
from tests.crash.kills import checked, import_all, prepare, run_to_end
from tests.crash.operations import OPERATIONS, Operation

_PAGE = 4096
_ROOMY = 256 << 20


def fill(name: str, disks: int, seed: int, folder: Path) -> dict[str, object]:
    """Run an operation on disks of random sizes that are too small, and then go on with space."""
    start = time.monotonic()
    import_all(name)
    disk = folder / "disk"
    disk.mkdir()
    operation = OPERATIONS[name](prepare(name, folder), disk / name)
    rng = np.random.default_rng([seed, sorted(OPERATIONS).index(name)])
    mount(disk, _ROOMY)
    operation.begin()
    before = used(disk)
    run_to_end(operation, folder)
    expected, needed = checked(operation, folder, result=True), used(disk) - before
    unmount(disk)
    full, operation.has_errors = 0, True
    for _ in range(disks):
        mount(disk, _ROOMY)
        operation.begin()
        room = int(rng.integers(0, needed + 1)) // _PAGE * _PAGE
        mount(disk, used(disk) + room, again=True)
        arguments = operation.next_command()
        assert arguments is not None
        ended = fork(command(arguments), folder)
        full += refused(operation, ended, "No space left on device")
        checked(operation, folder)
        mount(disk, _ROOMY, again=True)
        run_to_end(operation, folder)
        assert checked(operation, folder, result=True) == expected
        unmount(disk)
    return {
        "operation": name,
        "disks": disks,
        "full": full,
        "bytes_needed": needed,
        "seconds": round(time.monotonic() - start, 1),
    }


def forbid(name: str, folder: Path) -> dict[str, object]:
    """Run an operation on a disk that is read-only, and then go on with one that is not."""
    import_all(name)
    disk = folder / "disk"
    disk.mkdir()
    operation = OPERATIONS[name](prepare(name, folder), disk / name)
    mount(disk, _ROOMY)
    operation.begin()
    arguments = operation.next_command()
    assert arguments is not None
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    before = sorted(disk.rglob("*"))
    ended = fork(command(arguments), folder)
    failed = refused(operation, ended, "Read-only file system")
    assert sorted(disk.rglob("*")) == before
    mount(disk, _ROOMY, again=True)
    run_to_end(operation, folder)
    checked(operation, folder)
    return {"operation": name, "refused": failed, "seconds": round(ended.seconds, 2)}


def refused(operation: Operation, ended: Ended, reason: str) -> bool:
    """Return whether a command failed, for this reason alone and without a traceback."""
    assert "Traceback" not in ended.said, ended.said
    assert ended.code != TRACEBACK
    if ended.code in operation.succeeded and reason not in ended.said:
        return False
    assert ended.code in (1, 2), f"exit code {ended.code}\n{ended.said}"
    assert reason in ended.said, ended.said
    return True


def mount(disk: Path, size: int, *, again: bool = False) -> None:
    options = f"{'remount,rw,' if again else ''}size={max(size, _PAGE)}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], check=True)


def unmount(disk: Path) -> None:
    subprocess.run(["umount", disk], check=True)


def used(disk: Path) -> int:
    """Return the number of used bytes of a disk, whole pages."""
    facts = os.statvfs(disk)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument("--disks", type=int, default=20, help="0 for a read-only disk")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.disks:
        done = fill(arguments.operation, arguments.disks, arguments.seed, arguments.folder)
    else:
        done = forbid(arguments.operation, arguments.folder)
    print(json.dumps(done))


if __name__ == "__main__":
    main()
