"""How long a data set takes to load in each layout, cold and from the cache, and in what memory.

    python benchmarks/data.py --data PATH [--runs 5]

Writes the data set at PATH in every layout, loads each in a fresh process as often as asked, and
checks that all of them give the same faces. Adds its rows to ``benchmarks/results/data.csv``.
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
from mien.data.formats.csv import write_csv
from mien.data.formats.folders import write_folders
from mien.data.formats.parquet import write_parquet
from record import add_rows, spread

# Peak memory is Linux's own account of the process, imports included. (getrusage would not do: its
# peak is inherited from the process that started this one.)
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
    """Load ``path`` in a fresh process; return seconds, peak MB, images and fingerprint."""
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
        paths = {name: root / f"faces-{name}" for name in ("csv", "folders", "parquet")}
        write_csv(dataset, paths["csv"])
        write_folders(dataset, paths["folders"])
        write_parquet(dataset, paths["parquet"])
        for layout, path in paths.items():
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
