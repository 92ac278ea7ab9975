"""The results of a sweep as a table, CSV, Markdown and the page ``sweep.html``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from mien.data.split import SPLITS
from mien.io.files import write_text
from mien.reports.pages import NO_VALUE, TextTable, show_large, show_value, to_csv
from mien.sweeps.folder import SweepFolder, Trial
from mien.sweeps.page import render_sweep, short_names

_NOTE: Final = (
    "Loss: mean cross-entropy in nats. The trial marked * has the highest accuracy on val, by "
    "which it is chosen; nothing is chosen by test."
)


def chosen(trials: list[Trial]) -> Trial | None:
    """Return the trial with the highest validation accuracy, the first of several equal ones.

    Args:
        trials: trials to choose from; those without a score on val are ignored.
    """
    measured = [trial for trial in trials if trial.measured]
    return max(measured, key=lambda trial: trial.scores["val"].accuracy, default=None)


def results_table(folder: SweepFolder) -> TextTable:
    """Return a table with one row per trial: its settings, and loss and accuracy on each split."""
    trials, sweep = folder.trials(), folder.record.sweep
    best = chosen(trials)
    splits = [split for split in SPLITS if any(split in trial.scores for trial in trials)]
    rows = []
    for trial in trials:
        mark = "*" if trial is best else ""
        early = f" {trial.status}" if trial.status in ("stopped", "pruned") else ""
        number = f"{trial.number}{mark}{early}"
        names = [trial.name] if sweep.variants else []
        settings = [show_value(sweep.value(trial.settings, key)) for key in sweep.keys]
        scores = _show_scores(trial, splits)
        rows.append((number, *names, *settings, *scores, show_large(trial.macs)))
    columns = (
        "trial",
        *(["variant"] if sweep.variants else []),
        *short_names(sweep.keys),
        *[name for split in splits for name in (f"{split} loss", f"{split} acc")],
        "MACs",
    )
    return TextTable(sweep.name, columns, tuple(rows), _NOTE + "".join(map(_show_end, trials)))


def results_csv(folder: SweepFolder) -> str:
    """Return CSV with one row per trial: its settings, scores, costs and status."""
    trials, sweep = folder.trials(), folder.record.sweep
    best = chosen(trials)
    rows = []
    for trial in trials:
        row: dict[str, Any] = {"trial": trial.number}
        if sweep.variants:
            row["variant"] = trial.name
        row["status"] = trial.status
        for key in sweep.keys:
            value = sweep.value(trial.settings, key)
            row[key] = json.dumps(value) if isinstance(value, list) else value
        for split in SPLITS:
            score = trial.scores.get(split)
            row[f"{split}_loss"] = score.loss if score else None
            row[f"{split}_accuracy"] = score.accuracy if score else None
        row |= {
            "parameters": trial.parameters,
            "macs": trial.macs,
            "epochs": trial.epochs,
            "seconds": trial.seconds,
            "chosen_by_val": trial is best,
            "error": trial.error,
        }
        rows.append(row)
    return to_csv(rows)


def write_results(folder: SweepFolder) -> Path:
    """Write sweep.csv, sweep.md and sweep.html, and return the path of the page."""
    table = results_table(folder)
    trials = folder.trials()
    write_text(folder.path / "sweep.csv", results_csv(folder))
    write_text(folder.path / "sweep.md", table.to_markdown())
    page = folder.path / "sweep.html"
    write_text(page, render_sweep(folder, trials, chosen(trials), table))
    return page


def _show_scores(trial: Trial, splits: list[str]) -> list[str]:
    """Return loss and accuracy on each split; the trial's status if there are none."""
    if not trial.scores:
        return [trial.status if index == 0 else "" for index in range(2 * len(splits))]
    cells = []
    for split in splits:
        score = trial.scores.get(split)
        cells += [f"{score.loss:.3f}", f"{score.accuracy:.3f}"] if score else [NO_VALUE] * 2
    return cells


def _show_end(trial: Trial) -> str:
    """Return a sentence about a trial that has not finished; empty for any other trial."""
    label = f"T{trial.label[1:]}"
    if trial.error:
        return f" {label} failed: {trial.error}."
    if trial.status in ("stopped", "pruned"):
        return f" {label} was {trial.status} after {trial.epochs} epochs."
    return ""
