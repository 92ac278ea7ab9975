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

    A run measured on its own data keeps the evaluation, for its comparisons.
    """
    from mien.data import load_dataset
    from mien.evaluation import evaluate as measure

    evaluation = measure(model, data, split.value, skip_bad=skip_bad)
    if skip_bad:
        say_skipped(load_dataset(*data, skip_bad=True).skipped)
    if path is not None:
        evaluation.save(path)
    if as_json:
        print_json(evaluation.summary())
    else:
        say_scores(evaluation)
        if path is not None:
            say_path("\nkept", path)
    if (Path(model) / "run.json").is_file() and evaluation.protocol.same_data:
        from mien.training.run import Run

        evaluation.save(Run(model).evaluation_path(split.value))


def say_scores(evaluation: Evaluation) -> None:
    """Print an evaluation's scores, per-class scores and protocol."""
    from mien.evaluation.evaluate import show_score

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
