"""One trial of a sweep, in a process of its own: ``python -m mien.sweeps.trial SWEEP NUMBER``.

Its result goes into the trial's file, so whatever becomes of this process, the sweep knows.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from mien.errors import Interrupted, MienError, RunError
from mien.evaluation import Evaluation
from mien.recipes.recipe import Recipe
from mien.runs.evaluations import evaluation_of
from mien.runs.membership import MembershipError
from mien.runs.run import Run
from mien.sweeps.folder import SplitScore, SweepFolder, Trial
from mien.training.listener import Watcher
from mien.training.train import resume, train

STOPPED = 130


def run_trial(folder: SweepFolder, trial: Trial, *, watcher: Watcher | None = None) -> Trial:
    """Train a trial, or go on with it, measure it on the sweep's splits, and return its result."""
    record, path = folder.record, folder.run_path(trial.number)
    recipe = record.sweep.recipe_for(trial.settings).resolve_paths(Path(record.started_in))
    if not path.exists():
        run = train(
            recipe,
            record.paths,
            path,
            device=record.device,
            skip_bad=record.skip_bad,
            watcher=watcher,
        )
    else:
        run = Run(path)
        if _comparable(run.recipe) != _comparable(recipe):
            raise RunError(f"{path}: a run of another recipe than the trial's; move it away")
        if run.record.status != "finished":
            run = resume(path, record.paths, watcher=watcher)
    scores = {}
    for split in run.record.data.split_counts:
        if split not in record.splits:
            continue
        try:
            evaluation = evaluation_of(run, split)
        except MembershipError as error:  # the trial is as good as it was; that split is no test
            print(error, flush=True)
            continue
        scores[split] = _score(evaluation)
    return _with_result(trial, run, status="finished", scores=scores)


def stopped_trial(folder: SweepFolder, trial: Trial) -> Trial:
    """Return a trial that was asked to stop, with what its run wrote of itself when it did.

    Before the first epoch is through there is nothing to measure, and the trial is returned as it
    was. Test splits are not measured: that is for trials that have come to their end.
    """
    if not folder.run_path(trial.number).is_dir():
        return trial
    run = Run(folder.run_path(trial.number))
    if not run.evaluation_path("val").is_file():
        return trial
    scores = {"val": _score(Evaluation.load(run.evaluation_path("val")))}
    return _with_result(trial, run, status="stopped", scores=scores)


def _score(evaluation: Evaluation) -> SplitScore:
    assert evaluation.accuracy.value is not None  # a split has images
    return SplitScore(loss=evaluation.log_loss, accuracy=evaluation.accuracy.value)


def _with_result(trial: Trial, run: Run, *, status: str, scores: dict[str, SplitScore]) -> Trial:
    history = run.history()
    return trial.model_copy(
        update={
            "status": status,
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


class _StopWhole(Watcher):
    """Ignores SIGTERM after training, so that export and evaluation finish."""

    def ended(self) -> None:
        """Training is over; training has put back the handler that it found."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def main() -> None:
    """Run the trial that the command line names; a failure is a result too."""
    folder = SweepFolder(Path(sys.argv[1]))
    trial = folder.trial(int(sys.argv[2]))
    try:
        folder.save(run_trial(folder, trial, watcher=_StopWhole()))
    except Interrupted:
        sys.exit(STOPPED)  # it goes on another time
    except MienError as error:
        folder.save(trial.anew().model_copy(update={"status": "failed", "error": str(error)}))


if __name__ == "__main__":
    main()
