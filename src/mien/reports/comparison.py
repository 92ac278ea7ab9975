"""A comparison to tables, CSV, Markdown and ``compare.html``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mien.evaluation.score import Score, show_score
from mien.evaluation.significance import ComparedRun, Comparison, Group
from mien.io.files import write_text
from mien.labels import EMOTIONS
from mien.reports import comparison_figures as figures
from mien.reports.pages import TextTable, embed, environment, show_large, show_p, to_csv

_PAIRS_NOTE = (
    "Only these images tell two networks apart: read right by the one and wrong by the other. "
    "p: McNemar's exact test, adjusted for the number of pairs (Holm); below 0.05 the difference "
    "is more than chance, for these two trainings."
)


def comparison_tables(comparison: Comparison) -> list[TextTable]:
    """Return all that a comparison says, as tables: scores, F1 by emotion, costs, pairs."""
    tables = []
    for group in comparison.groups:
        tables += [_scores(group), _class_scores(group)]
    tables.append(_costs(comparison.runs))
    tables += [_pairs(group) for group in comparison.groups if group.pairs]
    return tables


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write compare.html, compare.md, compare.csv and pairs.csv, and return the page's path."""
    tables = comparison_tables(comparison)
    why = f"{comparison.why_apart}\n\n" if comparison.why_apart else ""
    write_text(folder / "compare.md", why + "\n".join(table.to_markdown() for table in tables))
    write_text(folder / "compare.csv", to_csv(comparison_records(comparison)["runs"]))
    write_text(folder / "pairs.csv", to_csv(comparison_records(comparison)["pairs"]))
    page = folder / "compare.html"
    write_text(
        page,
        environment()
        .get_template("compare.html")
        .render(
            comparison=comparison,
            tables=tables,
            intervals=[
                (
                    group.measured_on,
                    embed(figures.draw_intervals(_accuracies(group), "accuracy")),
                    embed(figures.draw_intervals(_macro_f1s(group), "macro F1")),
                    _tradeoff(group),
                )
                for group in comparison.groups
            ],
            curves=[
                (split, quantity, embed(figures.draw_curves(histories, f"{split}_{quantity}")))
                for histories in [{one.name: one.history for one in comparison.runs}]
                for quantity in ("loss", "accuracy")
                for split in ("train", "val")
            ],
        ),
    )
    return page


def comparison_records(comparison: Comparison) -> dict[str, list[dict[str, Any]]]:
    """Return a comparison as plain figures, unrounded: ``runs`` and ``pairs``."""
    return {
        "runs": [_record(one) for one in comparison.runs],
        "pairs": [vars(pair) for group in comparison.groups for pair in group.pairs],
    }


def _scores(group: Group) -> TextTable:
    rows = [
        (
            one.name,
            _with_interval(one.evaluation.accuracy),
            _with_interval(one.evaluation.macro_f1),
            _with_interval(one.evaluation.weighted_f1),
            show_score(one.evaluation.roc_auc.value),
            show_score(one.evaluation.calibration_error),
        )
        for one in group.runs
    ]
    columns = ("run", "accuracy (95%)", "macro F1 (95%)", "weighted F1 (95%)", "AUC", "ECE")
    return TextTable(
        "Scores",
        columns,
        tuple(rows),
        f"On the {group.measured_on}. {_copies(group)}AUC: mean area under the ROC curves; ECE: "
        "how far confidence is from accuracy (15 bins). Intervals: bootstrap over images.",
    )


def _copies(group: Group) -> str:
    """Say how many of the measured images each network has learnt, pixel for pixel."""
    counts = {
        one.name: one.evaluation.protocol.identical_in_train
        for one in group.runs
        if one.evaluation.protocol.identical_in_train is not None
    }
    if not counts:
        return ""
    if len(set(counts.values())) == 1:
        count = next(iter(counts.values()))
        return f"{count:,} of them stand in each run's train split, pixel for pixel. "
    each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f"Careful: not equally many of them stand in train, pixel for pixel ({each}). "


def _class_scores(group: Group) -> TextTable:
    rows = [
        (one.name, *(show_score(row.f1) for row in one.evaluation.per_class)) for one in group.runs
    ]
    return TextTable("F1 by emotion", ("run", *EMOTIONS), tuple(rows))


def _costs(runs: Iterable[ComparedRun]) -> TextTable:
    rows = [
        (
            one.name,
            show_large(one.parameters),
            show_large(one.macs),
            "–" if one.seconds_per_epoch is None else f"{one.seconds_per_epoch:.1f}",
            f"{len(one.history)}",
            "–" if one.epoch is None else f"{one.epoch}",
            f"{one.latency_ms:.2f}",
        )
        for one in runs
    ]
    columns = ("run", "parameters", "MACs", "s/epoch", "epochs", "kept", "ms/face")
    return TextTable(
        "Cost",
        columns,
        tuple(rows),
        "MACs: multiply-accumulates to read one face. s/epoch: median, on whatever each run was "
        "trained on. ms/face: median of its Bundle reading one face on one thread, here and now.",
    )


def _pairs(group: Group) -> TextTable:
    rows = [
        (
            f"{pair.better} over {pair.worse}",
            f"{pair.only_better:,}",
            f"{pair.only_worse:,}",
            show_p(pair.p_adjusted),
        )
        for pair in group.pairs
    ]
    return TextTable(
        "Pairs", ("pair", "only the first", "only the second", "p"), tuple(rows), _PAIRS_NOTE
    )


def _with_interval(score: Score) -> str:
    return f"{show_score(score.value)} {show_score(score.low)}–{show_score(score.high)}"


def _accuracies(group: Group) -> dict[str, Score]:
    return {one.name: one.evaluation.accuracy for one in group.runs}


def _macro_f1s(group: Group) -> dict[str, Score]:
    return {one.name: one.evaluation.macro_f1 for one in group.runs}


def _tradeoff(group: Group) -> Markup | None:
    points = [
        figures.Point(one.name, one.macs, one.evaluation.accuracy.value)
        for one in group.runs
        if one.macs is not None and one.evaluation.accuracy.value is not None
    ]
    return embed(figures.draw_tradeoff(points, "accuracy")) if points else None


def _record(one: ComparedRun) -> dict[str, Any]:
    """Return a compared run as one row of figures, unrounded."""
    evaluation = one.evaluation
    row: dict[str, Any] = {"run": one.name, "recipe": one.recipe}
    for name in ("accuracy", "macro_f1", "weighted_f1", "roc_auc"):
        score: Score = getattr(evaluation, name)
        row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
    row |= {
        "calibration_error": evaluation.calibration_error,
        "log_loss": evaluation.log_loss,
        **{f"f1_{scores.emotion}": scores.f1 for scores in evaluation.per_class},
        "parameters": one.parameters,
        "macs": one.macs,
        "seconds_per_epoch": one.seconds_per_epoch,
        "epochs": len(one.history),
        "kept_epoch": one.epoch,
        "latency_ms": one.latency_ms,
        "split": evaluation.protocol.split,
        "images": evaluation.protocol.images,
        "split_fingerprint": evaluation.protocol.split_fingerprint,
        "protocol": evaluation.protocol.sentence(),
    }
    return row
