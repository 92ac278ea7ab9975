"""Add rows to a benchmark's results, with date, machine, versions, number of runs and spread."""

import csv
import io
import statistics
from datetime import date
from pathlib import Path
from typing import Any

from mien.io.files import write_text
from mien.runs.record import describe_environment

FOLDER = Path(__file__).parent / "results"


def spread(name: str, values: list[float]) -> dict[str, Any]:
    """Return a figure's median, extremes and number of runs."""
    return {
        name: round(statistics.median(values), 4),
        f"{name}_min": round(min(values), 4),
        f"{name}_max": round(max(values), 4),
        "n": len(values),
    }


def add_rows(benchmark: str, rows: list[dict[str, Any]]) -> None:
    """Add rows to ``results/BENCHMARK.csv``, each with the date, the machine and the versions.

    Columns that the file does not have yet are added to it.
    """
    environment = describe_environment()
    machine = {
        "date": date.today().isoformat(),
        "processor": environment["processor"],
        "cores": environment["cores"],
        "python": environment["python"],
        "torch": environment["torch"],
        "mien": environment["mien"],
    }
    path = FOLDER / f"{benchmark}.csv"
    old: list[dict[str, Any]] = []
    if path.is_file():
        with path.open(newline="") as handle:
            old = list(csv.DictReader(handle))
    # A new figure is added before the machine's columns; older rows have no value in it.
    figures = {key: None for row in [*old, *rows] for key in row if key not in machine}
    written = io.StringIO()
    writer = csv.DictWriter(written, [*figures, *machine], lineterminator="\n")
    writer.writeheader()
    writer.writerows([*old, *({**row, **machine} for row in rows)])
    FOLDER.mkdir(exist_ok=True)
    write_text(path, written.getvalue())  # whole or not at all: the older rows exist nowhere else
