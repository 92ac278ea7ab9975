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
    skip_bad: SkipBadOption = False,
) -> None:
    """Measure a run or a Bundle: scores with 95% intervals, and how they were measured.

    A run measured on its own data keeps the evaluation, for its comparisons. A test split is for
    images that a run has not seen, and the run logs each look at one.
    """
    from mien.data import load_dataset
    from mien.evaluation import evaluate as measure
    from mien.evaluation.evaluate import run_folder
    from mien.evaluation.looks import count_looks
    from mien.runtime.bundle import find_bundle

    with err.status("Reading the faces, and looking for their twins in train"):
        evaluation = measure(model, data, split.value, views=views, skip_bad=skip_bad)
    folder = run_folder(find_bundle(model))
    looks = count_looks(folder) if folder and split is Split.test else None
    if skip_bad:
        say_skipped(load_dataset(*data, skip_bad=True).skipped)
    if path is not None:
        evaluation.save(path)
    if as_json:
        counted = {} if looks is None else {"looks": looks}
        print_json({**evaluation.summary(), **counted})
    else:
        say_scores(evaluation)
        if looks is not None:
            out.print(
                f"\nLook number {looks:,} at a test split by this run. Choosing anything by what "
                "it shows makes it a validation split."
            )
        if path is not None:
            say_path("\nkept", path)
    if folder and evaluation.protocol.same_data and views == "single":
        from mien.training.run import Run

        evaluation.save(Run(folder).evaluation_path(split.value))


def say_scores(evaluation: Evaluation) -> None:
    """Print an evaluation's scores, per-class scores and protocol."""
    from mien.evaluation.result import show_score

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
    out.print(f"\nMeasured on: {evaluation.protocol.sentence()}.", style="dim")
    if without := evaluation.overlap_sentence():
        out.print(f"{without}.")
