"""A comparison of runs as tables, CSV, Markdown and ``compare.html``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from mien.bundle.scores import Score
from mien.evaluation.describe import show_score
from mien.evaluation.significance import ComparedRun, Comparison, Group
from mien.io.files import write_text
from mien.io.text import markdown_text
from mien.reports.figures import comparison as figures
from mien.reports.pages import (
    NO_VALUE,
    TextTable,
    embed,
    render_page,
    show_large,
    show_p,
    show_value,
    to_csv,
)

_SIGNIFICANT: Final = 0.05
_FEW_SETTINGS: Final = 12
_PAIRS_NOTE: Final = (
    "Only first right: images that the first network reads as labelled and the second does not. "
    "p: McNemar's exact test, adjusted for the number of pairs (Holm); below 0.05 the difference "
    "between these two trainings is unlikely to be chance."
)


def comparison_tables(comparison: Comparison) -> list[TextTable]:
    """Return the tables of a comparison: scores, F1 by class, costs and pairs.

    What differs in the recipes comes first, unless it is so much that it says little.
    """
    tables, differences = [], _differences(comparison.runs)
    if 0 < len(differences.rows) <= _FEW_SETTINGS:
        tables.append(differences)
    for group in comparison.groups:
        tables += [_scores(group), _class_scores(group)]
    tables.append(_costs(comparison.runs))
    tables += [_pairs(group) for group in comparison.groups if group.pairs]
    if len(differences.rows) > _FEW_SETTINGS:
        tables.append(differences)
    return tables


def verdicts(comparison: Comparison) -> list[str]:
    """Return why runs are not ranked together, and the outcome of each group of several."""
    apart = [comparison.why_apart] if comparison.why_apart else []
    return apart + [_verdict(group) for group in comparison.groups if group.pairs]


def _verdict(group: Group) -> str:
    first, second = group.runs[:2]
    pair = group.pairs[0]  # of the first two: the pairs are in the order of the runs
    points, low, high = (
        f"{100 * value:.1f}"
        for value in (pair.difference, pair.difference_low, pair.difference_high)
    )
    chance = (
        "more than chance" if pair.p_adjusted < _SIGNIFICANT else "no more than chance may give"
    )
    others = f" the next best of {len(group.runs)}," if len(group.runs) > 2 else ""
    return (
        f"{first.name} reads {points} percentage points more of the faces as labelled than{others} "
        f"{second.name} (95% interval {low} to {high}, p {_equals(pair.p_adjusted)}): {chance}. "
        f"Their macro F1 is {show_score(first.evaluation.macro_f1.value)} and "
        f"{show_score(second.evaluation.macro_f1.value)}."
    )


def _equals(p_value: float) -> str:
    shown = show_p(p_value)
    return shown if shown.startswith("<") else f"= {shown}"


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write compare.html, compare.md, compare.csv and pairs.csv, and return the path of the page.

    Args:
        comparison: comparison to write.
        folder: folder of the files; files of the same names are replaced.
    """
    tables, records = comparison_tables(comparison), comparison_records(comparison)
    said = "".join(f"{markdown_text(line)}\n\n" for line in verdicts(comparison))
    write_text(folder / "compare.md", said + "\n".join(table.to_markdown() for table in tables))
    write_text(folder / "compare.csv", to_csv(records["runs"]))
    write_text(folder / "pairs.csv", to_csv(records["pairs"]))
    page = folder / "compare.html"
    write_text(
        page,
        render_page(
            "compare.html",
            comparison=comparison,
            drawn=all(one.drawn for one in comparison.runs),
            verdicts=verdicts(comparison),
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
                for histories in [{one.name: one.history for one in comparison.runs if one.history}]
                for quantity in ("loss", "accuracy")
                for split in ("train", "val")
            ],
        ),
    )
    return page


def comparison_records(comparison: Comparison) -> dict[str, list[dict[str, Any]]]:
    """Return the numbers of a comparison, unrounded: rows of ``runs`` and of ``pairs``."""
    names = dict.fromkeys(name for group in comparison.groups for name in group.names)
    return {
        "runs": [_record(one, names) for one in comparison.runs],
        "pairs": [vars(pair) for group in comparison.groups for pair in group.pairs],
    }


def _differences(runs: Sequence[ComparedRun]) -> TextTable:
    """Return the settings in which the recipes of the runs differ; a dash where a run has none."""
    keys = dict.fromkeys(key for one in runs for key in one.settings)
    differing = [key for key in keys if len({repr(one.settings.get(key)) for one in runs}) > 1]
    rows = tuple(
        (key, *(show_value(one.settings[key]) if key in one.settings else NO_VALUE for one in runs))
        for key in differing
    )
    return TextTable("What differs in the recipes", ("setting", *(one.name for one in runs)), rows)


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
        "expected calibration error (15 bins). Intervals: bootstrap over images.",
    )


def _copies(group: Group) -> str:
    """Return how many of the evaluated images have an exact duplicate in train, in words."""
    counts = {
        one.name: one.evaluation.protocol.identical_in_train
        for one in group.runs
        if one.evaluation.protocol.identical_in_train is not None
    }
    if not counts:
        return ""
    if len(set(counts.values())) == 1:
        count = next(iter(counts.values()))
        return f"{count:,} of them have an exact duplicate in the train split of each run. "
    each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f"Caution: the numbers of exact duplicates in the train split differ ({each}). "


def _class_scores(group: Group) -> TextTable:
    rows = [
        (one.name, *(show_score(row.f1) for row in one.evaluation.per_class)) for one in group.runs
    ]
    return TextTable("F1 by class", ("run", *group.names), tuple(rows))


def _costs(runs: Iterable[ComparedRun]) -> TextTable:
    rows = [
        (
            one.name,
            show_large(one.parameters),
            show_large(one.macs),
            "–" if one.seconds_per_epoch is None else f"{one.seconds_per_epoch:.1f}",
            f"{len(one.history)}" if one.history else NO_VALUE,
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
        "MACs: multiply-accumulate operations for one face. s/epoch: median, on the device that "
        "each run was trained on, which a Bundle does not know. ms/face: median latency of its "
        "Bundle for one face on one thread, measured on this machine.",
    )


def _pairs(group: Group) -> TextTable:
    rows = [
        (
            f"{pair.better} over {pair.worse}",
            f"{pair.difference:.3f} ({pair.difference_low:.3f} to {pair.difference_high:.3f})",
            f"{pair.only_better:,}",
            f"{pair.only_worse:,}",
            show_p(pair.p_adjusted),
        )
        for pair in group.pairs
    ]
    return TextTable(
        "Pairs",
        ("pair", "accuracy gained (95%)", "only first right", "only second right", "p"),
        tuple(rows),
        _PAIRS_NOTE,
    )


def _with_interval(score: Score) -> str:
    return f"{show_score(score.value)} {show_score(score.low)}–{show_score(score.high)}"


def _accuracies(group: Group) -> dict[str, Score]:
    return {one.name: one.evaluation.accuracy for one in group.runs}


def _macro_f1s(group: Group) -> dict[str, Score]:
    return {one.name: one.evaluation.macro_f1 for one in group.runs}


def _tradeoff(group: Group) -> Markup | None:
    """Return the figure of accuracy against cost; None if the costs do not differ."""
    points = [
        figures.Point(one.name, one.macs, one.evaluation.accuracy.value)
        for one in group.runs
        if one.macs is not None and one.evaluation.accuracy.value is not None
    ]
    differ = len({point.macs for point in points}) > 1
    return embed(figures.draw_tradeoff(points, "accuracy")) if differ else None


def _record(one: ComparedRun, names: Iterable[str]) -> dict[str, Any]:
    """Return a compared run as one row of numbers, unrounded.

    Args:
        one: compared run.
        names: names of the classes of all compared runs; the F1 of one that the run lacks is None.
    """
    evaluation = one.evaluation
    f1 = {scores.emotion: scores.f1 for scores in evaluation.per_class}
    row: dict[str, Any] = {"run": one.name, "recipe": one.recipe}
    for name in ("accuracy", "macro_f1", "weighted_f1", "roc_auc"):
        score: Score = getattr(evaluation, name)
        row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
    row |= {
        "calibration_error": evaluation.calibration_error,
        "log_loss": evaluation.log_loss,
        **{f"f1_{name}": f1.get(name) for name in names},
        "parameters": one.parameters,
        "macs": one.macs,
        "seconds_per_epoch": one.seconds_per_epoch,
        "epochs": len(one.history),
        "kept_epoch": one.epoch,
        "latency_ms": one.latency_ms,
        "split": evaluation.protocol.split,
        "images": evaluation.protocol.images,
        "split_fingerprint": evaluation.protocol.split_fingerprint,
        "protocol": evaluation.describe_protocol(),
    }
    return row
