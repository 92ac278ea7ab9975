"""Train the recipe of every seed system on FER-2013, and measure it on PublicTest.

Finished trainings are kept and stopped ones are resumed, so the command may be stopped and started
again, and several processes may share the work:

    python benchmarks/seed_systems.py --data path/to/fer2013
    python benchmarks/seed_systems.py --data path/to/fer2013 --write --alone
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import RunError
from mien.recipes import load_recipe
from mien.runs.data import load_split_data
from mien.runs.evaluations import evaluation_of
from mien.runs.run import Run
from mien.training.train import resume, train
from record import FOLDER, add_rows

POOLED = ["data.validation_share=0", "data.fractions=[0.7,0.15,0.15]"]


@dataclass(frozen=True)
class Training:
    """One training: a recipe, the changed settings, and the name of the changed recipe."""

    recipe: str
    seed: int = 0
    changes: tuple[str, ...] = ()
    variant: str = ""

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.recipe, self.variant, f"seed{self.seed}")))

    def overrides(self) -> list[str]:
        return [f"train.seed={self.seed}", *self.changes]


# The recipes that the acceptance needs come first.
TRAININGS = [
    *(
        Training(recipe, seed)
        for recipe in ("bn-cnn", "augmented-cnn", "csv-cnn", "deep-cnn", "folder-cnn")
        for seed in (0, 1)
    ),
    Training("densenet169", 0, ("model.weights=none",), "no-weights"),
    Training("inception-cnn"),
    Training("augmented-cnn", 0, tuple(POOLED), "pooled"),
    Training(
        "augmented-cnn", 0, (*POOLED, "data.keep_duplicates_together=true"), "pooled-duplicates"
    ),
    Training("deep-cnn", 0, ("augment.enabled=false",), "plain"),
    Training("inception-cnn", 0, ("augment.enabled=false",), "plain"),
]


def run_training(training: Training, data: str, folder: Path) -> Run | None:
    """Return the finished run of a training; None if another process trains it."""
    path = folder / training.name
    try:
        if not path.exists():
            recipe = load_recipe(training.recipe, training.overrides())
            return train(recipe, data, path)
        run = Run(path)
        return run if run.record.status == "finished" else resume(path)
    except RunError as error:
        print(f"{training.name}: {error}", flush=True)
        return None


def measure(training: Training, run: Run, seconds_alone: float | None) -> dict[str, Any]:
    """Return the row of a training: the scores that its source reports, and the measured ones."""
    evaluation = evaluation_of(run, "test")
    reported = run.recipe.source.reported
    duplicates = accuracy_by_duplicate(run)
    return {
        "training": training.name,
        "recipe": training.recipe,
        "changes": " ".join(training.changes),
        "seed": training.seed,
        "reported_accuracy": reported.get("accuracy", ""),
        "reported_macro_f1": reported.get("macro_f1", ""),
        "accuracy": evaluation.accuracy.value,
        "accuracy_low": evaluation.accuracy.low,
        "accuracy_high": evaluation.accuracy.high,
        "macro_f1": evaluation.macro_f1.value,
        "weighted_f1": evaluation.weighted_f1.value,
        "roc_auc": evaluation.roc_auc.value,
        "calibration_error": evaluation.calibration_error,
        "val_accuracy": evaluation_of(run, "val").accuracy.value,
        "test_images": evaluation.protocol.images,
        **duplicates,
        "epochs": len(run.history()),
        "checkpoint": evaluation.protocol.checkpoint,
        "parameters": run.record.parameters,
        "macs": run.record.macs,
        "seconds": round(sum(row["seconds"] for row in run.history())),
        "threads": run.record.threads,
        "epoch_seconds_alone": seconds_alone if seconds_alone is not None else "",
        "splits": evaluation.protocol.split_rule,
    }


def accuracy_by_duplicate(run: Run) -> dict[str, Any]:
    """Return the number of test images with a copy in train, and the accuracies of both parts."""
    dataset = load_split_data(run.recipe.data, run.record.data.paths)
    learned = {image.tobytes() for image in dataset.train.images}
    duplicate = np.array([image.tobytes() in learned for image in dataset.test.images])
    right = evaluation_of(run, "test").right()
    return {
        "test_images_in_train": int(duplicate.sum()),
        "accuracy_in_train": float(right[duplicate].mean()) if duplicate.any() else "",
        "accuracy_not_in_train": float(right[~duplicate].mean()),
    }


def seconds_alone(training: Training, data: str) -> float:
    """Return the seconds of a second epoch, validation included, with nothing else running."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = load_recipe(
            training.recipe,
            [*training.overrides(), "train.epochs=2", "train.frozen_epochs=0"],
        )
        return round(train(recipe, data, Path(folder) / "run").history()[-1]["seconds"], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/seed-systems"))
    parser.add_argument(
        "--write",
        action="store_true",
        help="train nothing: write results/seed-systems.csv from the finished trainings",
    )
    parser.add_argument(
        "--alone",
        action="store_true",
        help="with --write: also time an epoch of each, while nothing else runs",
    )
    arguments = parser.parse_args()
    if not arguments.write:
        for training in TRAININGS:
            run = run_training(training, arguments.data, arguments.runs)
            if run is not None:
                print(training.name, evaluation_of(run, "test").accuracy.value, flush=True)
        return
    rows = []
    timed: set[tuple[str, tuple[str, ...]]] = set()
    for training in TRAININGS:
        path = arguments.runs / training.name
        if not path.exists() or Run(path).record.status != "finished":
            print(f"{training.name}: not finished, left out")
            continue
        kind = (training.recipe, training.changes)
        alone = None
        if arguments.alone and kind not in timed:
            alone = seconds_alone(training, arguments.data)
        timed.add(kind)
        rows.append(measure(training, Run(path), alone))
        print(rows[-1], flush=True)
    (FOLDER / "seed-systems.csv").unlink(missing_ok=True)
    add_rows("seed-systems", rows)


if __name__ == "__main__":
    main()
