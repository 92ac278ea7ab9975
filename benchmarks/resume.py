"""Kill a training with SIGKILL at random moments, resume it, and compare the weights to the bit.

    python benchmarks/resume.py --data PATH [--recipe quick] [--kills 5] [--set KEY=VALUE]

Trains once without interruption, which measures the duration, then once more with the kills spread
at random over that time, and compares ``model.safetensors`` of the two byte by byte. Adds its row
to ``benchmarks/results/resume.csv``.
"""

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mien.runs.run import Run
from record import add_rows


def train(arguments: list[str], kill_after: float | None = None) -> float:
    """Run ``mien train`` and return its seconds; kill it after ``kill_after`` of them."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "mien", "train", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _, err = process.communicate(timeout=kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return time.perf_counter() - started
    if process.returncode:
        sys.exit(err.decode())
    return time.perf_counter() - started


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        fresh = [options.recipe, "--data", options.data]
        for setting in options.settings:
            fresh += ["--set", setting]
        seconds = train([*fresh, "--out", str(whole)])
        print(f"{seconds:.0f} s without interruption", flush=True)

        generator = random.Random(options.seed)
        share = seconds / options.kills
        kills = []
        while True:
            arguments = [*fresh, "--out", str(killed)]
            if killed.is_dir():
                arguments = ["--resume", str(killed)]
            if len(kills) == options.kills:
                train(arguments)
                break
            after = train(arguments, kill_after=generator.uniform(0.3 * share, 1.2 * share))
            if killed.is_dir() and Run(killed).record.status == "finished":
                break  # before the kill came
            epochs = len(Run(killed).history()) if killed.is_dir() else 0
            kills.append(epochs)
            print(f"killed after {after:.1f} s, {epochs} epochs finished", flush=True)
        same = digest(whole) == digest(killed)
        row = {
            "recipe": options.recipe,
            "settings": " ".join(options.settings),
            "images": sum(Run(whole).record.data.split_counts.values()),
            "epochs": len(Run(whole).history()),
            "seconds_without_a_break": round(seconds),
            "killed_after_epochs": " ".join(map(str, kills)),
            "weights": digest(whole)[:16],
            "weights_resumed": digest(killed)[:16],
        }
    print(row)
    add_rows("resume", [row])
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
