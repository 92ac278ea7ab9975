"""One trial of a sweep, in a process of its own: ``python -m mien.scale.trial SWEEP NUMBER``.

Its result goes into the trial's file, so whatever becomes of this process, the sweep knows.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mien.errors import Interrupted, MienError, RunError
from mien.evaluation.seen import SeenError
from mien.recipes.recipe import Recipe
from mien.scale.folder import SplitScore, SweepFolder, Trial
from mien.training.contender import evaluation_of
from mien.training.fit import resume, train
from mien.training.run import Run

STOPPED = 130


def run_trial(folder: SweepFolder, trial: Trial) -> Trial:
    """Train a trial, or go on with it, measure it on every split, and return its result."""
    record, path = folder.record, folder.run_path(trial.number)
    recipe = record.sweep.recipe_for(trial.settings).found_from(Path(record.started_in))
    if not path.exists():
        run = train(recipe, record.paths, path, skip_bad=record.skip_bad)
    else:
        run = Run(path)
        if _comparable(run.recipe) != _comparable(recipe):
            raise RunError(f"{path}: a run of another recipe than the trial's; move it away")
        if run.record.status != "finished":
            run = resume(path, record.paths)
    scores = {}
    for split in run.record.data.split_counts:
        try:
            evaluation = evaluation_of(run, split)
        except SeenError as error:  # the trial is as good as it was; that split is no test
            print(error, flush=True)
            continue
        assert evaluation.accuracy.value is not None  # a split has images
        scores[split] = SplitScore(loss=evaluation.log_loss, accuracy=evaluation.accuracy.value)
    history = run.history()
    return trial.model_copy(
        update={
            "status": "finished",
            "scores": scores,
            "parameters": run.record.parameters,
            "macs": run.record.macs,
            "epochs": len(history),
            "seconds": sum(row["seconds"] for row in history),
        }
    )


def _comparable(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe but for where its weights lie: a run keeps their whole path."""
    settings = recipe.as_dict()
    settings["model"].pop("weights", None)
    return settings


def main() -> None:
    """Run the trial that the command line names; a failure is a result too."""
    folder = SweepFolder(Path(sys.argv[1]))
    trial = folder.trial(int(sys.argv[2]))
    try:
        folder.save(run_trial(folder, trial))
    except Interrupted:
        sys.exit(STOPPED)  # it goes on another time
    except MienError as error:
        folder.save(trial.model_copy(update={"status": "failed", "error": str(error)}))


if __name__ == "__main__":
    main()
