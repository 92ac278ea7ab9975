"""Train in one process and in two, on the same cores: accuracy by seed, and images per second.

    python benchmarks/processes.py --data PATH [--recipe quick] [--seeds 3] [--set KEY=VALUE]

One process uses all cores; two share them. Trains each seed with both in turn, so that other work
on the machine weighs on both alike. Adds its rows to ``benchmarks/results/processes.csv``.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from mien.runs.run import Run
from record import add_rows, spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, action="append")
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()

    accuracies: dict[int, list[float]] = {1: [], 2: []}
    speeds: dict[int, list[float]] = {1: [], 2: []}
    for seed in range(options.seeds):
        for processes in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "run")
                command = [sys.executable, "-m", "mien", "train", options.recipe, "--no-report"]
                for data in options.data:
                    command += ["--data", data]
                for setting in [*options.settings, f"train.seed={seed}"]:
                    command += ["--set", setting]
                command += ["--device", "cpu", "--devices", str(processes), "--out", str(path)]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                history = Run(path).history()
            accuracies[processes].append(history[-1]["val_accuracy"])
            speeds[processes].append(statistics.median(row["images_per_second"] for row in history))
            print(processes, seed, accuracies[processes][-1], speeds[processes][-1], flush=True)
    add_rows(
        "processes",
        [
            {
                "recipe": options.recipe,
                "settings": " ".join(options.settings),
                "processes": processes,
                **spread("val_accuracy", accuracies[processes]),
                **spread("images_per_second", speeds[processes]),
            }
            for processes in (1, 2)
        ],
    )


if __name__ == "__main__":
    main()
