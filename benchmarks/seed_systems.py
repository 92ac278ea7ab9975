"""Train every seed system's recipe on FER-2013, by its name alone, and measure it on PublicTest.

What is finished is kept and what was stopped goes on, so this may be stopped and started again, and
several of it may share the work:

    python benchmarks/seed_systems.py --data path/to/fer2013
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from mien.errors import RunError
from mien.evaluation import evaluate
from mien.recipes import load_recipe
from mien.training.fit import resume, train
from mien.training.run import Run

POOLED = ["data.hold_out=0", "data.fractions=[0.7,0.15,0.15]"]


@dataclass(frozen=True)
class Training:
    """One training: a recipe, what is changed of it, and what the changed one is called."""

    recipe: str
    seed: int = 0
    changes: tuple[str, ...] = ()
    variant: str = ""

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.recipe, self.variant, f"seed{self.seed}")))

    def overrides(self) -> list[str]:
        return [f"train.seed={self.seed}", *self.changes]


# What the acceptance asks for first.
TRAININGS = [
    *(
        Training(recipe, seed)
        for recipe in ("bn-cnn", "augmented-cnn", "deep-cnn", "csv-cnn", "folder-cnn")
        for seed in (0, 1)
    ),
    Training("densenet169", 0, ("model.weights=none",), "no-imagenet"),
    Training("inception-cnn"),
    Training("augmented-cnn", 0, tuple(POOLED), "pooled"),
    Training("augmented-cnn", 0, (*POOLED, "data.keep_twins_together=true"), "pooled-twins"),
    Training("deep-cnn", 0, ("augment.enabled=false",), "plain"),
    Training("inception-cnn", 0, ("augment.enabled=false",), "plain"),
    Training("inception-cnn", 1),
    Training("densenet169", 1, ("model.weights=none",), "no-imagenet"),
    Training("augmented-cnn", 1, tuple(POOLED), "pooled"),
    Training("augmented-cnn", 1, (*POOLED, "data.keep_twins_together=true"), "pooled-twins"),
]


def run_training(training: Training, data: str, folder: Path) -> Run | None:
    """Return the finished run of a training; None where another process is at it."""
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/seed-systems"))
    arguments = parser.parse_args()
    for training in TRAININGS:
        run = run_training(training, arguments.data, arguments.runs)
        if run is None:
            continue
        path = run.evaluation_path("test")
        if not path.is_file():
            evaluate(run.path, arguments.data, "test").save(path)
            print(training.name, Run(run.path).history()[-1], flush=True)


if __name__ == "__main__":
    main()
