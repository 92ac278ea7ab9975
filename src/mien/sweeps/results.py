"""A sweep's trials to a table, CSV, Markdown and ``sweep.html``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from mien.data.split import SPLITS
from mien.io.files import write_text
from mien.reports import comparison_figures as figures
from mien.reports.pages import TextTable, embed, environment, show_duration, show_large, to_csv
from mien.runs.run import Run
from mien.sweeps.folder import SweepFolder, Trial

_CURVES: Final = 12
_NO_VALUE: Final = "–"
_NOTE: Final = (
    "Loss: mean cross-entropy in nats. The trial marked * has the highest accuracy on val, by "
    "which it is chosen; test chooses nothing."
)


def _best_of(measured: list[Trial]) -> list[Trial]:
    """Return the trials of the highest validation accuracy, as many as one can tell apart."""
    ranked = sorted(measured, key=lambda trial: -trial.scores["val"].accuracy)
    return sorted(ranked[:_CURVES], key=lambda trial: trial.number)


def chosen(trials: list[Trial]) -> Trial | None:
    """Return the measured trial of the highest validation accuracy, the first among equals."""
    measured = [trial for trial in trials if trial.measured]
    return max(measured, key=lambda trial: trial.scores["val"].accuracy, default=None)


def results_table(folder: SweepFolder) -> TextTable:
    """Return a line a trial: its settings, and loss and accuracy on each split."""
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
    columns = [name for split in splits for name in (f"{split} loss", f"{split} acc")]
    return TextTable(
        sweep.name,
        (
            "trial",
            *(["variant"] if sweep.variants else []),
            *_short(sweep.keys),
            *columns,
            "MACs",
        ),
        tuple(rows),
        _NOTE + "".join(map(_show_end, trials)),
    )


def _show_scores(trial: Trial, splits: list[str]) -> list[str]:
    """Return loss and accuracy on each split; of a trial without any, its status in their place."""
    if not trial.scores:
        return [trial.status if index == 0 else "" for index in range(2 * len(splits))]
    cells = []
    for split in splits:
        score = trial.scores.get(split)
        cells += [f"{score.loss:.3f}", f"{score.accuracy:.3f}"] if score else [_NO_VALUE] * 2
    return cells


def _show_end(trial: Trial) -> str:
    """Return what is to be said of a trial that did not come to its end; else nothing."""
    label = f"T{trial.label[1:]}"
    if trial.error:
        return f" {label} failed: {trial.error}."
    if trial.status == "stopped":
        return f" {label} was stopped after {trial.epochs} epochs."
    return ""


def write_results(folder: SweepFolder) -> Path:
    """Write sweep.csv, sweep.md and sweep.html, and return the page's path."""
    table = results_table(folder)
    trials = folder.trials()
    write_text(folder.path / "sweep.csv", results_csv(folder))
    write_text(folder.path / "sweep.md", table.to_markdown())
    measured = [trial for trial in trials if trial.measured]
    page = folder.path / "sweep.html"
    write_text(
        page,
        environment()
        .get_template("sweep.html")
        .render(
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
            curves=[
                (quantity, embed(figures.draw_curves(_histories(folder, measured), quantity)))
                for quantity in ("val_loss", "val_accuracy")
                if measured
            ],
        ),
    )
    return page


def _parallel(folder: SweepFolder, measured: list[Trial]) -> Figure:
    sweep = folder.record.sweep
    columns: dict[str, list[float | str]]
    if sweep.variants:  # what is compared is each as a whole
        columns = {"variant": [trial.name for trial in measured]}
    else:
        columns = {
            name: [_place(trial.settings[key]) for trial in measured]
            for key, name in zip(sweep.keys, _short(sweep.keys), strict=True)
        }
    columns["M MACs"] = [(trial.macs or 0) / 1e6 for trial in measured]
    columns["val accuracy"] = [trial.scores["val"].accuracy for trial in measured]
    return figures.draw_parallel(columns, "val accuracy")


def _tradeoff(measured: list[Trial]) -> Figure:
    return figures.draw_tradeoff(
        [
            figures.Point(
                trial.name or f"{trial.number}", trial.macs or 0, trial.scores["val"].accuracy
            )
            for trial in measured
        ],
        "val accuracy",
    )


def _histories(folder: SweepFolder, measured: list[Trial]) -> dict[str, list[dict[str, float]]]:
    return {
        trial.name or trial.label: Run(folder.run_path(trial.number)).history()
        for trial in _best_of(measured)
    }


def _short(keys: tuple[str, ...]) -> list[str]:
    """Return the last words of settings, or all of them where two end alike."""
    last = [key.split(".")[-1] for key in keys]
    return last if len(set(last)) == len(last) else list(keys)


def _place(value: Any) -> float | str:
    """Return a setting as what parallel coordinates place: a number by size, all else by order."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return show_value(value)


def show_value(value: Any) -> str:
    """Return a setting as short as it can be read: ``64-64-128`` for a list of whole numbers."""
    if value is None:
        return _NO_VALUE
    if isinstance(value, list):
        # a dash would read as a minus between numbers that are not whole
        dash = "-" if all(isinstance(item, int) for item in value) else ", "
        return dash.join(map(str, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _show_settings(trial: Trial) -> str:
    """Return a variant's name, or the settings of a trial that has none."""
    return trial.name or ", ".join(
        f"{key.split('.')[-1]} {show_value(value)}" for key, value in trial.settings.items()
    )


def results_csv(folder: SweepFolder) -> str:
    """Return a line a trial as CSV: its settings, scores, cost and status."""
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
