"""Measure how long ``mien --help`` and the first photo take, as whole processes.

    python benchmarks/start.py [--runs 10]

Adds its rows to ``benchmarks/results/start.csv``.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import skimage

from record import add_rows, spread

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
COMMANDS = {"mien --help": ["--help"], "mien predict PHOTO": ["predict", str(ASTRONAUT)]}


def seconds(arguments: list[str]) -> float:
    mien = Path(sys.executable).parent / "mien"
    started = time.perf_counter()
    subprocess.run([mien, *arguments], capture_output=True, check=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    rows = []
    for name, arguments in COMMANDS.items():
        seconds(arguments)  # the first reads everything from the disk
        times = [seconds(arguments) for _ in range(options.runs)]
        rows.append({"command": name, **spread("seconds", times)})
        print(rows[-1])
    add_rows("start", rows)


if __name__ == "__main__":
    main()
