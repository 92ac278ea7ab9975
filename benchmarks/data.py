"""Measure the time and memory that loading a data set takes in each layout, cold and cached.

    python benchmarks/data.py --data PATH [--runs 5]

Writes the data set at PATH in every layout, loads each of them in a new process for every run, and
checks that all give the same faces. Adds its rows to ``benchmarks/results/data.csv``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from mien.data import load_dataset
from mien.data.formats.base import writable_layouts
from mien.data.write import write_dataset
from record import add_rows, spread

# Peak memory as Linux counts it for the process, imports included. (The peak of getrusage is
# inherited from the parent process.)
LOAD = """
import json, pathlib, re, sys, time
from mien.data import load_dataset
started = time.perf_counter()
dataset = load_dataset(sys.argv[1])
seconds = time.perf_counter() - started
status = pathlib.Path("/proc/self/status").read_text()
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", status)[1]) / 1024
print(json.dumps([seconds, peak, len(dataset), dataset.fingerprint]))
"""


def load(path: Path, cache: Path) -> list:
    """Load a data set in a new process; return seconds, peak MB, images and fingerprint."""
    result = subprocess.run(
        [sys.executable, "-c", LOAD, str(path)],
        env={**os.environ, "MIEN_CACHE": str(cache)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(result.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()

    dataset = load_dataset(options.data)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for layout in writable_layouts():
            path = root / f"faces-{layout}"
            write_dataset(dataset, path, layout)
            cold = [load(path, root / f"cache-{layout}-{run}") for run in range(options.runs)]
            cached = [load(path, root / f"cache-{layout}-0") for _ in range(options.runs)]
            assert {result[3] for result in cold + cached} == {dataset.fingerprint}
            for state, results in (("cold", cold), ("cached", cached)):
                row = {
                    "layout": layout,
                    "state": state,
                    "images": results[0][2],
                    **spread("seconds", [result[0] for result in results]),
                    "peak_mb": round(statistics.median(result[1] for result in results)),
                }
                print(row)
                rows.append(row)
    add_rows("data", rows)


if __name__ == "__main__":
    main()
