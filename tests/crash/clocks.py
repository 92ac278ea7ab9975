"""A command under a wall clock that jumps: python -m tests.crash.clocks train --folder NEW.

The clock of `clock.c`, compiled as a library, starts in 1970 and goes to and fro by days. The
result has to be the same as with a right clock.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.crash.kills import checked, import_all, prepare, run_to_end
from tests.crash.operations import OPERATIONS


def finish(name: str, base: Path, folder: Path) -> str:
    """Run an operation to its end, check what it leaves, and return the digest of its result."""
    folder.mkdir()
    operation = OPERATIONS[name](base, folder / "work")
    operation.begin()
    run_to_end(operation, folder)
    return checked(operation, folder, result=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument("--clock", type=Path, help="compiled clock; none for the second process")
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    name, folder = arguments.operation, arguments.folder
    import_all(name)
    if arguments.clock is None:
        times = [time.time() for _ in range(12)]
        jumps = any(later < earlier for earlier, later in itertools.pairwise(times))
        result = finish(name, folder / "base", folder / "jumping")
        print(json.dumps({"jumps": jumps, "result": result}))
        return
    expected = finish(name, prepare(name, folder), folder / "right")
    second = subprocess.run(
        [sys.executable, "-m", "tests.crash.clocks", name, "--folder", str(folder)],
        env={**os.environ, "LD_PRELOAD": str(arguments.clock)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert second.returncode == 0, second.stderr
    found = json.loads(second.stdout.splitlines()[-1])
    assert found["result"] == expected
    print(json.dumps({"operation": name, "jumps": found["jumps"]}))


if __name__ == "__main__":
    main()
