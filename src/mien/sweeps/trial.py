"""One trial of a sweep, in its own process: ``python -m mien.sweeps.trial SWEEP NUMBER``.

The process writes its result to the trial's file, so that the sweep finds it however the process
ends.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from mien.errors import STOPPED, Interrupted, MienError, RunError
from mien.evaluation import Evaluation
from mien.io.files import locked_file
from mien.io.interrupt import SIGNALS
from mien.recipes import Recipe
from mien.runs.evaluations import evaluation_of
from mien.runs.membership import MembershipError
from mien.runs.run import Run
from mien.sweeps.folder import SplitScore, SweepFolder, Trial
from mien.training.listener import TrainingListener
from mien.training.train import resume, train


def run_trial(
    folder: SweepFolder, trial: Trial, *, listener: TrainingListener | None = None
) -> Trial:
    """Train a trial, or resume it, and return it with its scores on the sweep's splits.

    Args:
        folder: directory of the sweep.
        trial: trial to run.
        listener: progress listener of the training; None for a silent one.

    Raises:
        MienError: if the trial fails.
        Interrupted: on SIGTERM.
    """
    record, path = folder.record, folder.run_path(trial.number)
    recipe = record.sweep.recipe_for(trial.settings).resolve_paths(Path(record.started_in))
    if not path.exists():
        run = train(
            recipe,
            record.paths,
            path,
            device=record.device,
            skip_bad=record.skip_bad,
            listener=listener or TrainingListener(),
        )
    else:
        run = Run(path)
        if _comparable(run.recipe) != _comparable(recipe):
            raise RunError(f"{path}: a run of another recipe than the trial's; move it elsewhere")
        if run.record.status != "finished":
            run = resume(path, record.paths, listener=listener or TrainingListener())
    scores = {}
    for split in run.record.data.split_counts:
        if split not in record.splits:
            continue
        try:
            scores[split] = _score(evaluation_of(run, split))
        except MembershipError as error:  # the trial is valid; only this split is not a test of it
            print(error, flush=True)
    return _with_result(trial, run, status="finished", scores=scores)


def stopped_trial(folder: SweepFolder, trial: Trial) -> Trial:
    """Return a trial that was asked to stop, with its score on val.

    A trial that has not finished an epoch has no score, and is returned unchanged. Test splits are
    measured for finished trials only.

    Args:
        folder: directory of the sweep.
        trial: trial whose process has stopped.
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
    """Return a recipe without the path of its weights, which a run keeps as an absolute path."""
    settings = recipe.as_dict()
    settings["model"].pop("weights", None)
    return settings


class _FinishAfterTraining(TrainingListener):
    """Ignores requests to stop after training, so that export and evaluation are completed."""

    def ended(self) -> None:
        """Ignore them from now on; training has restored the handlers that it found."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def main() -> None:
    """Run the trial that the command line names, and record its result or its failure."""
    folder, number = SweepFolder(Path(sys.argv[1])), int(sys.argv[2])
    # The lock tells a later sweep that this process still runs if its own sweep was killed.
    with locked_file(folder.lock_path(number), timeout_s=-1):
        trial = folder.trial(number)
        if trial.ended:
            return
        try:
            folder.save(run_trial(folder, trial, listener=_FinishAfterTraining()))
        except Interrupted:
            sys.exit(STOPPED)  # the trial is resumed with the sweep
        except MienError as error:
            folder.save(trial.failed(str(error)))


if __name__ == "__main__":
    main()
