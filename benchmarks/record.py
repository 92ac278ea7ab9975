"""What every benchmark's rows have in common: when, on what, how often, how far apart."""

import csv
import statistics
from datetime import date
from pathlib import Path
from typing import Any

from mien.training.record import describe_environment

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
    """Add rows to ``results/BENCHMARK.csv``, each with the date, the machine and the versions."""
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
    old = list(csv.DictReader(path.open())) if path.is_file() else []
    FOLDER.mkdir(exist_ok=True)
    with path.open("w", newline="") as handle:
        columns = list({key: None for row in [*old, {**rows[0], **machine}] for key in row})
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*old, *({**row, **machine} for row in rows)])
