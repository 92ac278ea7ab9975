"""``mien evaluate``: measure a run or a Bundle on one split of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import err, new_table, out, print_json, say_notes, say_path, say_skipped
from mien.cli.options import (
    DataOption,
    GroupsOption,
    JsonOption,
    ModelArgument,
    SkipBadOption,
    Split,
)
from mien.io.text import one_line

if TYPE_CHECKING:
    from mien.evaluation import Evaluation
    from mien.evaluation.groups import Grouping
    from mien.evaluation.scorecard import Scorecard


def evaluate(
    model: ModelArgument,
    data: DataOption,
    split: Annotated[Split, typer.Option(help="Split to measure on.")] = Split.val,
    tta: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Test-time augmentation: none; flip, the mean with the mirror image; or ten-crop.",
        ),
    ] = "none",
    as_json: JsonOption = False,
    path: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Also write the evaluation to FILE as JSON, with all probabilities.",
        ),
    ] = None,
    scorecard: Annotated[
        bool,
        typer.Option(
            help="Also measure four figures beyond the label on changed copies of 500 faces; needs "
            "FER+ votes.",
        ),
    ] = True,
    groups: GroupsOption = None,
    skip_bad: SkipBadOption = False,
) -> None:
    """Measure a run or a Bundle: scores with 95% intervals, and their protocol.

    A run keeps its evaluation on its own data, for comparisons. A test split is for images that the
    run does not know; the run logs each measurement on one. For faces with FER+ votes, four figures
    beyond the label are measured as well, unless test-time augmentation is used.
    """
    from mien.bundle.bundle import Bundle
    from mien.bundle.scores import NO_TTA
    from mien.evaluation.tta import check_tta
    from mien.io.files import refuse_unwritable_file
    from mien.labels import FER2013
    from mien.runs.data import load_as_trained
    from mien.runs.evaluations import measure, run_folder
    from mien.runs.test_log import count_measurements

    if path is not None:
        refuse_unwritable_file(path)
    check_tta(tta)  # before the data is read, which takes time
    bundle = Bundle(model)

    scorecard = scorecard and tta == NO_TTA and bundle.label_set == FER2013
    doing = "Reading the faces, and searching for their duplicates in the train split"
    if scorecard:
        doing += "; with FER+ votes, also reading changed copies of 500 faces"
    with err.status(doing):
        dataset = load_as_trained(bundle, data, skip_bad=skip_bad)
        evaluation = measure(
            bundle, dataset, split.value, tta=tta, scorecard=scorecard, groups=groups
        )
    folder = run_folder(bundle.path)
    measurements = count_measurements(folder) if folder and split is Split.test else None
    say_skipped(dataset.skipped)
    say_notes(dataset.notes)
    if path is not None:
        evaluation.save(path)
    if as_json:
        counted = {} if measurements is None else {"test_measurements": measurements}
        print_json({**evaluation.summary().model_dump(mode="json"), **counted})
        return
    say_scores(evaluation)
    if measurements is not None:
        out.print(
            f"\nMeasurement {measurements:,} of this run on a test split. If anything is chosen by "
            "it, the split is no longer a test split."
        )
    if path is not None:
        say_path("\nkept", path)


def say_scores(evaluation: Evaluation) -> None:
    """Print an evaluation: its scores, those of each class, and how they were measured."""
    from mien.evaluation.describe import show_score
    from mien.labels import named_labels

    table = new_table(evaluation.protocol.model, "score", "95% interval")
    for name, score in evaluation.headline().items():
        interval = f"{show_score(score.low)} to {show_score(score.high)}"
        table.add_row(name, show_score(score.value), interval)
    out.print(table)
    noun = named_labels(evaluation.names).noun
    by_class = new_table(noun, "images", "precision", "recall", "F1", "AUC")
    for row in evaluation.per_class:
        figures = (row.precision, row.recall, row.f1, row.roc_auc)
        by_class.add_row(row.emotion, f"{row.images:,}", *map(show_score, figures))
    out.print()
    out.print(by_class)
    if evaluation.scorecard:
        out.print()
        _say_scorecard(evaluation.scorecard)
    elif evaluation.no_scorecard:
        out.print(
            f"\nNot measured beyond the label: {one_line(evaluation.no_scorecard)}.", style="dim"
        )
    for grouping in evaluation.groups:
        out.print()
        _say_groups(grouping)
    out.print(f"\nMeasured on: {one_line(evaluation.describe_protocol())}.", style="dim")
    if without := evaluation.describe_without_overlap():
        out.print(f"{one_line(without)}.")


def _say_groups(grouping: Grouping) -> None:
    """Print the figures of each group of people, and the gaps between the groups."""
    from mien.evaluation.describe import show_score
    from mien.evaluation.groups import FEWEST, describe_gap

    table = new_table(grouping.column, "images", "accuracy", "95% interval", "macro F1", "ECE")
    for one in grouping.groups:
        interval = f"{show_score(one.accuracy.low)} to {show_score(one.accuracy.high)}"
        others = (one.macro_f1.value, one.calibration_error.value)
        table.add_row(
            one.group, f"{one.images:,}", show_score(one.accuracy.value), interval,
            *map(show_score, others),
        )  # fmt: skip
    out.print(table)
    if grouping.ungrouped:
        are = "image is" if grouping.ungrouped == 1 else "images are"
        out.print(f"{grouping.ungrouped:,} {are} in no group.", style="dim")
    for gap in grouping.gaps:
        out.print(one_line(describe_gap(grouping.column, gap)) + ".")
    if not grouping.gaps:
        out.print(f"Fewer than two groups have {FEWEST} images: no gap is tested.", style="dim")


def _say_scorecard(scorecard: Scorecard) -> None:
    """Print the four figures beyond the label, their parts and their mean, and explain them."""
    from mien.evaluation.describe import show_score

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
        "\nAgreement is with the label of the data set, and with the emotion that most FER+ voters "
        "chose. Corruption accuracy is the accuracy on blurred, noisy, dark, covered, turned and "
        "otherwise corrupted copies of the faces. Consistency is the share of answers that stay "
        "the same when the face is mirrored, cropped 10% wider or tighter, or shifted by a "
        "sixteenth of its side.",
        style="dim",
    )
