"""Kill a command again and again: python -m tests.crash.kills train --kills 100 --folder NEW.

Half of the kills come after a random time, half before a random change of a file. After each, all
that is there is checked, and the next command goes on from it. A command that ends by itself has to
have succeeded, with the same result as one that was never killed.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from tests.crash.harness import KILLED, Ended, Moment, command, fork
from tests.crash.operations import OPERATIONS, Operation, make_base


def import_all(name: str) -> None:
    """Import what the commands of an operation import, so that forked processes need not."""
    import mien.cli.main
    import mien.curation.clean
    import mien.data.duplicates.groups
    import mien.data.synthetic.faces

    if name in {"train", "export", "export-int8", "report", "sweep"}:
        import mien.reports.report
        import mien.sweeps.runner
        import mien.training.export
        import mien.training.train  # noqa: F401


def prepare(name: str, folder: Path) -> Path:
    """Make the folder that an operation copies, in forked processes, and return it."""
    base = folder / "base"
    for step in make_base(base, with_run="run" in OPERATIONS[name].copies):
        ended = fork(step, folder)
        assert ended.code == 0, ended.said
    return base


def checked(operation: Operation, folder: Path, *, result: bool = False) -> str:
    """Check in a forked process, since sessions and threads do not survive a fork."""
    path = folder / "result.txt"

    def check() -> None:
        operation.check()
        path.write_text(operation.result() if result else "")

    ended = fork(check, folder)
    assert ended.code == 0, f"what is left is not whole\n{ended.said}"
    return path.read_text()


def kill(name: str, kills: int, seed: int, folder: Path) -> dict[str, object]:
    """Kill an operation a number of times, and return counts and durations."""
    start = time.monotonic()
    import_all(name)
    operation = OPERATIONS[name](prepare(name, folder), folder / name)
    rng = np.random.default_rng([seed, sorted(OPERATIONS).index(name)])
    operation.begin()
    whole = run_to_end(operation, folder)
    expected = checked(operation, folder, result=True)
    landed, attempts, finished = 0, 0, 0
    operation.begin()
    while landed < kills:
        attempts += 1
        assert attempts < 20 * kills + 20, "the kills come after the end"
        arguments = operation.next_command()
        assert arguments is not None
        ended = fork(command(arguments), folder, _moment(rng, whole))
        if ended.code == KILLED:
            landed += 1
            operation.settle(rng)
            checked(operation, folder)
        else:
            _refuse_failure(operation, ended)
        if _is_done(operation, ended):
            assert checked(operation, folder, result=True) == expected
            finished += 1
            operation.begin()
    run_to_end(operation, folder)
    assert checked(operation, folder, result=True) == expected
    return {
        "operation": name,
        "kills": landed,
        "finished": finished + 1,
        "seconds_of_one": round(whole.seconds, 2),
        "seconds": round(time.monotonic() - start, 1),
    }


def run_to_end(operation: Operation, folder: Path) -> Ended:
    """Run an operation to its end without a kill, and return how its first command ended."""
    first = None
    while (arguments := operation.next_command()) is not None:
        ended = fork(command(arguments), folder)
        _refuse_failure(operation, ended)
        first = first or ended
        if operation.is_repeated:
            break
    return first or Ended(0, 0.0, "")


def _is_done(operation: Operation, ended: Ended) -> bool:
    if operation.is_repeated:
        return ended.code != KILLED
    return operation.next_command() is None


def _refuse_failure(operation: Operation, ended: Ended) -> None:
    assert ended.code in operation.succeeded, f"exit code {ended.code}\n{ended.said}"


def _moment(rng: np.random.Generator, whole: Ended) -> Moment:
    if rng.random() < 0.5:
        return Moment(seconds=float(rng.uniform(0.02, 1.05 * whole.seconds)))
    return Moment(change=int(rng.integers(1, whole.changes + 1)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    done = kill(arguments.operation, arguments.kills, arguments.seed, arguments.folder)
    print(json.dumps(done))


if __name__ == "__main__":
    main()
