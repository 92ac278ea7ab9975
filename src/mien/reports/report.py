"""A run to ``report.html``: one file that opens anywhere, offline, in light and dark."""

from __future__ import annotations

import shlex
from pathlib import Path

from markupsafe import Markup

from mien.data import FaceDataset, load_dataset
from mien.errors import MienError
from mien.evaluation import Evaluation
from mien.evaluation.looks import count_looks
from mien.evaluation.result import Score
from mien.files import write_text
from mien.reports import faces, figures
from mien.reports.pages import environment
from mien.runtime.bundle import Bundle
from mien.training.run import Run


def write_report(run: Run, *, dataset: FaceDataset | None = None) -> Path:
    """Write a run's report from its directory and return the file's path.

    Args:
        run: with an evaluation on val.
        dataset: what it was trained on, for the sample of faces; by default it is loaded from
            where it was. Where it is no longer there, the report says so instead.

    Raises:
        RunError: if the run has no evaluation, or is damaged.
        BundleError: if its Bundle is missing or damaged.
    """
    evaluation = Evaluation.load(run.evaluation_path("val"))
    if dataset is None:
        dataset = _find_data(run)
    history, counts = run.history(), _class_counts(dataset)
    about = Bundle(run.bundle_path).metadata
    kept = about.epoch
    page = (
        environment()
        .get_template("report.html")
        .render(
            run=run,
            recipe=run.recipe,
            record=run.record,
            evaluation=evaluation,
            scores=_scores(evaluation),
            loss_curve=Markup(figures.draw_curve(history, "loss", kept)),
            accuracy_curve=Markup(figures.draw_curve(history, "accuracy", kept)),
            confusion=Markup(figures.draw_confusion(evaluation)),
            roc=Markup(figures.draw_roc(evaluation)),
            precision_recall=Markup(figures.draw_precision_recall(evaluation)),
            reliability=Markup(figures.draw_reliability(evaluation)),
            risk_coverage=Markup(figures.draw_risk_coverage(evaluation, about.uncertain_below)),
            calibration=about.calibration,
            class_counts=Markup(figures.draw_class_counts(counts)) if counts else None,
            class_shares=Markup(figures.draw_class_shares(counts)) if counts else None,
            samples=faces.draw_sample(dataset, evaluation) if dataset else [],
            mistakes=faces.most_confident_mistakes(dataset, evaluation) if dataset else [],
            augmented=faces.augment_examples(dataset, run.recipe) if dataset else [],
            looks=count_looks(run.path),
            seconds=sum(row["seconds"] for row in history),
            history=history,
            command=_command(run),
        )
    )
    write_text(run.report_path, page)
    return run.report_path


def _scores(evaluation: Evaluation) -> list[tuple[str, str, Score]]:
    return [
        ("Accuracy", "share of faces read as labelled", evaluation.accuracy),
        ("Macro F1", "mean over emotions, rare ones count the same", evaluation.macro_f1),
        ("Weighted F1", "mean over faces", evaluation.weighted_f1),
        ("ROC-AUC", "how well each emotion is ranked above the rest", evaluation.roc_auc),
    ]


def _find_data(run: Run) -> FaceDataset | None:
    try:
        dataset = load_dataset(
            *run.record.data.paths,
            **run.recipe.data.model_dump(),
            skip_bad=run.record.data.skip_bad,
        )
    except MienError:
        return None
    return dataset if dataset.fingerprint == run.record.data.fingerprint else None


def _class_counts(dataset: FaceDataset | None) -> dict[str, dict[str, int]]:
    if dataset is None:
        return {}
    return {split: dataset.split(split).class_counts() for split in dataset.split_counts()}


def _command(run: Run) -> str:
    words = ["mien", "train", str(run.path / "recipe.toml")]
    for path in run.record.data.paths:
        words += ["--data", path]
    words += ["--skip-bad"] if run.record.data.skip_bad else []
    return shlex.join([*words, "--out", f"{run.path}-again"])
