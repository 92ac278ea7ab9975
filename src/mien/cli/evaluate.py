"""``mien evaluate``: how good a run or a Bundle is on one split of a data set."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import (
    DataOption,
    JsonOption,
    SkipBadOption,
    err,
    new_table,
    out,
    print_json,
    say_path,
    say_skipped,
)

if TYPE_CHECKING:
    from mien.evaluation import Evaluation
    from mien.evaluation.scorecard import Scorecard


class Split(StrEnum):
    """The splits of a data set."""

    train = "train"
    val = "val"
    test = "test"


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_BUNDLE",
            help="A run directory, a .onnx file or a shipped Bundle's name.",
        ),
    ],
    data: DataOption,
    split: Annotated[Split, typer.Option(help="Which images to measure on.")] = Split.val,
    views: Annotated[
        str,
        typer.Option(
            help="single; flip, the mean with the mirror image; or ten-crop. Each is reported as "
            "what it is.",
        ),
    ] = "single",
    as_json: JsonOption = False,
    path: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Keep the evaluation as JSON, probabilities too."
        ),
    ] = None,
    scorecard: Annotated[
        bool,
        typer.Option(
            help="Where faces have FER+ votes, measure four figures beyond the label, too; reads "
            "changed copies of 500 faces."
        ),
    ] = True,
    skip_bad: SkipBadOption = False,
) -> None:
    """Measure a run or a Bundle: scores with 95% intervals, and how they were measured.

    A run measured on its own data keeps the evaluation, for its comparisons. A test split is for
    images that a run has not seen, and the run logs each measurement on one. Faces with FER+ votes,
    read in a single view, also give four figures beyond the label.
    """
    from mien.bundle.bundle import find_bundle
    from mien.data import load_dataset
    from mien.runs.evaluations import evaluate as measure
    from mien.runs.evaluations import run_folder
    from mien.runs.test_log import count_measurements

    doing = "Reading the faces, and looking for their duplicates in train"
    scorecard = scorecard and views == "single"
    if scorecard:
        doing += "; then, if they have FER+ votes, reading changed copies of 500 of them"
    with err.status(doing):
        evaluation = measure(
            model, data, split.value, views=views, skip_bad=skip_bad, scorecard=scorecard
        )
    folder = run_folder(find_bundle(model))
    measurements = count_measurements(folder) if folder and split is Split.test else None
    if skip_bad:
        say_skipped(load_dataset(*data, skip_bad=True).skipped)
    if path is not None:
        evaluation.save(path)
    if as_json:
        counted = {} if measurements is None else {"test_measurements": measurements}
        print_json({**evaluation.summary(), **counted})
    else:
        say_scores(evaluation)
        if measurements is not None:
            out.print(
                f"\nMeasurement number {measurements:,} of this run on a test split. Choosing "
                "anything by what it shows makes it a validation split."
            )
        if path is not None:
            say_path("\nkept", path)


def say_scores(evaluation: Evaluation) -> None:
    """Print an evaluation's scores, per-class scores and protocol."""
    from mien.evaluation.score import show_score

    table = new_table(f"{evaluation.protocol.model}", "score", "95% interval")
    for name, score in (
        ("accuracy", evaluation.accuracy),
        ("macro F1", evaluation.macro_f1),
        ("weighted F1", evaluation.weighted_f1),
        ("ROC-AUC", evaluation.roc_auc),
    ):
        interval = f"{show_score(score.low)} to {show_score(score.high)}"
        table.add_row(name, show_score(score.value), interval)
    out.print(table)
    by_class = new_table("emotion", "images", "precision", "recall", "F1", "AUC")
    for row in evaluation.per_class:
        figures = (row.precision, row.recall, row.f1, row.roc_auc)
        by_class.add_row(row.emotion, f"{row.images:,}", *map(show_score, figures))
    out.print()
    out.print(by_class)
    if evaluation.scorecard:
        out.print()
        _say_scorecard(evaluation.scorecard)
    elif evaluation.no_scorecard:
        out.print(f"\nNot measured beyond the label: {evaluation.no_scorecard}.", style="dim")
    out.print(f"\nMeasured on: {evaluation.protocol.sentence()}.", style="dim")
    if without := evaluation.overlap_sentence():
        out.print(f"{without}.")


def _say_scorecard(scorecard: Scorecard) -> None:
    """Print the four figures beyond the label, their mean, and what they mean."""
    from mien.evaluation.score import show_score

    table = new_table("beyond the label", "score", "95% interval", "faces")
    figures = {
        "agreement with the label": scorecard.label_agreement,
        "agreement with the FER+ majority": scorecard.votes_agreement,
        "mean corruption accuracy": scorecard.corruption_accuracy,
        "consistency": scorecard.consistency,
        "  mirrored": scorecard.survives_mirror,
        "  cropped wider and tighter": scorecard.survives_crop,
        "  shifted": scorecard.survives_shift,
    }
    for name, figure in figures.items():
        interval = f"{show_score(figure.low)} to {show_score(figure.high)}"
        table.add_row(name, show_score(figure.value), interval, f"{figure.images:,}")
    table.add_row("mean of the four", show_score(scorecard.mean), "", "")
    out.print(table)
    out.print(
        "\nAgreement is with the data set's label, and with the emotion that most FER+ voters saw. "
        "Corruption accuracy is that on blurred, noisy, dark, covered, turned and otherwise "
        "corrupted copies of the faces. Consistency is the share of answers that stay the same "
        "when the face is mirrored, cropped 10% wider or tighter, or shifted by 3 px.",
        style="dim",
    )
