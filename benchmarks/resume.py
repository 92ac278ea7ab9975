"""Kill a training with SIGKILL at random moments, resume it, and compare the weights to the bit.

    python benchmarks/resume.py --data PATH [--recipe quick] [--kills 5] [--set KEY=VALUE]

Trains once without a break, which tells how long it takes, then once more with the kills spread at
random over that time, and compares ``model.safetensors`` of the two byte by byte.
"""

import argparse
import hashlib
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(arguments: list[str], kill_after: float | None = None) -> float:
    """Run ``mien train`` and return its seconds; kill it after ``kill_after`` of them."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "mien", "train", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return time.perf_counter() - started
    if process.returncode:
        sys.exit(f"mien train {' '.join(arguments)} failed with {process.returncode}")
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
        seconds = run([*fresh, "--out", str(whole)])
        print(f"{platform.processor() or platform.machine()}: {seconds:.0f} s without a break")

        generator = random.Random(options.seed)
        share = seconds / options.kills
        moments = [generator.uniform(0.3 * share, 1.3 * share) for _ in range(options.kills)]
        for number, moment in enumerate(moments):
            started = (killed / "run.json").is_file()
            arguments = ["--resume", str(killed)] if started else [*fresh, "--out", str(killed)]
            run(arguments, kill_after=moment)
            epochs = (
                (killed / "history.csv").read_text().count("\n") - 1
                if (killed / "history.csv").is_file()
                else 0
            )
            print(f"kill {number + 1} after {moment:.1f} s, {epochs} epochs through", flush=True)
        started = (killed / "run.json").is_file()
        run(["--resume", str(killed)] if started else [*fresh, "--out", str(killed)])
        same = digest(whole) == digest(killed)
        verdict = "the same" if same else "NOT the same"
        print(f"weights {digest(whole)[:16]} and {digest(killed)[:16]}: {verdict}")
        sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
