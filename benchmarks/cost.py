"""Measure an epoch of bn-cnn in mien and in Keras: same images, network, batch and machine.

Both use their defaults: Keras fp32, mien bf16 if the processor supports it.

TensorFlow needs an environment of its own:

    python3 -m venv tf && tf/bin/pip install tensorflow==2.21.0
    python benchmarks/cost.py --data path/to/fer2013 --keras tf/bin/python

The two take turns, so that other load on the machine affects both.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mien.recipes import Recipe, load_recipe
from mien.runs.data import load_split_data
from mien.training.listener import TrainingListener
from mien.training.train import train
from record import add_rows, spread

EPOCHS = 3  # the first one, which warms up, is not counted


class Clock(TrainingListener):
    """Notes wall and CPU seconds (of all threads) at each epoch's end, validation included."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def epoch_ended(self, row: dict[str, float]) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))


def epochs(marks: list[Any], first: int) -> tuple[list[float], list[float]]:
    """Return the wall and the CPU seconds of every epoch after the first ``first`` marks."""
    seconds = np.diff(np.array(marks), axis=0)[first:]
    return seconds[:, 0].tolist(), seconds[:, 1].tolist()


def run_mien(recipe: Recipe, data: str, out: Path, threads: int) -> tuple[list[float], list[float]]:
    torch.set_num_threads(threads)
    clock = Clock()
    train(recipe, data, out, listener=clock)
    return epochs(clock.marks, 0)


def run_keras(recipe: Recipe, arrays: Path, python: str) -> tuple[dict[str, Any], Any]:
    settings = {
        "data": str(arrays),
        "widths": recipe.model.channels,
        "dense": recipe.model.dense,
        "dropout": recipe.model.dropout,
        "batch_size": recipe.train.batch_size,
        "epochs": EPOCHS,
    }
    script = Path(__file__).parent / "keras_epoch.py"
    done = subprocess.run(
        [python, str(script), json.dumps(settings)], capture_output=True, text=True, check=True
    )
    report = json.loads(done.stdout.splitlines()[-1])
    return report, epochs(report["marks"], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--keras", required=True, help="the Python that has TensorFlow")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()

    recipe = load_recipe("bn-cnn", [f"train.epochs={EPOCHS}"])
    dataset = load_split_data(recipe.data, arguments.data)
    # Two threads end sooner; a single thread never waits for another.
    systems = {"keras": 0, "mien": torch.get_num_threads(), "mien, one thread": 1}
    walls: dict[str, list[float]] = {name: [] for name in systems}
    cpus: dict[str, list[float]] = {name: [] for name in systems}
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "faces.npz"
        np.savez(
            arrays,
            train_images=dataset.train.images,
            train_labels=dataset.train.labels,
            val_images=dataset.val.images,
            val_labels=dataset.val.labels,
        )
        for repeat in range(arguments.repeats):
            report, (wall, cpu) = run_keras(recipe, arrays, arguments.keras)
            walls["keras"] += wall
            cpus["keras"] += cpu
            for name in list(systems)[1:]:
                out = Path(folder) / f"{name} {repeat}"
                wall, cpu = run_mien(recipe, arguments.data, out, systems[name])
                walls[name] += wall
                cpus[name] += cpu
            print({name: [round(value, 1) for value in cpus[name]] for name in cpus}, flush=True)
    rows = [
        {
            "system": name,
            "version": report["version"] if name == "keras" else "",
            "images": len(dataset.train),
            "parameters": report["parameters"],
            "batch_size": recipe.train.batch_size,
            **spread("cpu_seconds", cpus[name]),
            **spread("wall_seconds", walls[name]),
        }
        for name in systems
    ]
    for row in rows:  # ratios within one run: other load on the machine affects all alike
        for quantity in ("cpu", "wall"):
            ratio = row[f"{quantity}_seconds"] / rows[0][f"{quantity}_seconds"]
            row[f"{quantity}_of_keras"] = round(ratio, 3)
    add_rows("cost", rows)
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
