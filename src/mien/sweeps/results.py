"""The results of a sweep as a table, CSV, Markdown and the page ``sweep.html``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from mien.data.split import SPLITS
from mien.io.files import write_text
from mien.reports.figures import comparison as figures
from mien.reports.pages import (
    NO_VALUE,
    TextTable,
    embed,
    render_page,
    show_duration,
    show_large,
    show_value,
    to_csv,
)
from mien.runs.run import Run
from mien.sweeps.folder import SweepFolder, Trial

_CURVES: Final = 12  # lines of more trials cannot be told apart
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
        number = f"{trial.number}{mark}{' stopped' if trial.status == 'stopped' else ''}"
        names = [trial.name] if sweep.variants else []
        settings = [show_value(sweep.value(trial.settings, key)) for key in sweep.keys]
        scores = _show_scores(trial, splits)
        rows.append((number, *names, *settings, *scores, show_large(trial.macs)))
    columns = (
        "trial",
        *(["variant"] if sweep.variants else []),
        *_short(sweep.keys),
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
    measured = [trial for trial in trials if trial.measured]
    curves = []
    if measured:
        histories = _histories(folder, measured)
        curves = [
            (column, embed(figures.draw_curves(histories, column)))
            for column in ("val_loss", "val_accuracy")
        ]
    page = folder.path / "sweep.html"
    html = render_page(
        "sweep.html",
        sweep=folder.record.sweep,
        table=table,
        trials=trials,
        finished=[trial for trial in trials if trial.status == "finished"],
        measured=measured,
        best=chosen(trials),
        settings=_show_settings,
        seconds=show_duration(sum(trial.seconds or 0 for trial in measured)),
        parallel=embed(_parallel(folder, measured)) if measured else None,
        tradeoff=embed(_tradeoff(measured)) if measured else None,
        curves=curves,
    )
    write_text(page, html)
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
    if trial.status == "stopped":
        return f" {label} was stopped after {trial.epochs} epochs."
    return ""


def _show_settings(trial: Trial) -> str:
    """Return the name of a variant, or the settings of a trial without a name."""
    return trial.name or ", ".join(
        f"{key.split('.')[-1]} {show_value(value)}" for key, value in trial.settings.items()
    )


def _short(keys: tuple[str, ...]) -> list[str]:
    """Return the last parts of dotted keys, or whole keys if two of these are equal."""
    last = [key.split(".")[-1] for key in keys]
    return last if len(set(last)) == len(last) else list(keys)


def _parallel(folder: SweepFolder, measured: list[Trial]) -> Figure:
    sweep = folder.record.sweep
    columns: dict[str, list[float | str]]
    if sweep.variants:  # each is compared as a whole
        columns = {"variant": [trial.name for trial in measured]}
    else:
        columns = {
            name: [_place(trial.settings[key]) for trial in measured]
            for key, name in zip(sweep.keys, _short(sweep.keys), strict=True)
        }
    columns["M MACs"] = [(trial.macs or 0) / 1e6 for trial in measured]
    columns["val accuracy"] = [trial.scores["val"].accuracy for trial in measured]
    return figures.draw_parallel(columns, "val accuracy")


def _place(value: Any) -> float | str:
    """Return a setting for parallel coordinates: a number, placed by its size, or a text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return show_value(value)


def _tradeoff(measured: list[Trial]) -> Figure:
    points = [
        figures.Point(
            trial.name or f"{trial.number}", trial.macs or 0, trial.scores["val"].accuracy
        )
        for trial in measured
    ]
    return figures.draw_tradeoff(points, "val accuracy")


def _histories(folder: SweepFolder, measured: list[Trial]) -> dict[str, list[dict[str, float]]]:
    """Return the histories of the best trials, in the order of their numbers."""
    ranked = sorted(measured, key=lambda trial: -trial.scores["val"].accuracy)
    best = sorted(ranked[:_CURVES], key=lambda trial: trial.number)
    return {
        trial.name or trial.label: Run(folder.run_path(trial.number)).history() for trial in best
    }
