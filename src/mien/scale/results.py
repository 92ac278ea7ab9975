"""A sweep's trials to a table, CSV, Markdown and ``sweep.html``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from mien.data.split import SPLITS
from mien.files import write_text
from mien.reports import comparison_figures as figures
from mien.reports.pages import TextTable, embed, environment, show_duration, show_large, to_csv
from mien.scale.folder import SweepFolder, Trial
from mien.training.run import Run

_CURVES: Final = 12
_NOTE: Final = (
    "Loss: mean cross-entropy in nats. The trial marked * has the highest accuracy on val, by "
    "which it is chosen; test chooses nothing."
)


def _best_of(finished: list[Trial]) -> list[Trial]:
    """Return the trials of the highest validation accuracy, as many as one can tell apart."""
    ranked = sorted(finished, key=lambda trial: -trial.scores["val"].accuracy)
    return sorted(ranked[:_CURVES], key=lambda trial: trial.number)


def chosen(trials: list[Trial]) -> Trial | None:
    """Return the finished trial of the highest validation accuracy, the first among equals."""
    finished = [trial for trial in trials if trial.status == "finished"]
    return max(finished, key=lambda trial: trial.scores["val"].accuracy, default=None)


def results_table(folder: SweepFolder) -> TextTable:
    """Return a line a trial: its settings, and loss and accuracy on each split."""
    trials, keys = folder.trials(), folder.record.sweep.keys
    best = chosen(trials)
    splits = [split for split in SPLITS if best is not None and split in best.scores]
    rows = []
    for trial in trials:
        mark = "*" if trial is best else ""
        settings = [show_value(trial.settings[key]) for key in keys]
        figures_of = [
            f"{number:.3f}"
            for split in splits
            if split in trial.scores
            for number in (trial.scores[split].loss, trial.scores[split].accuracy)
        ] or [trial.status if index == 0 else "" for index in range(2 * len(splits))]
        rows.append((f"{trial.number}{mark}", *settings, *figures_of, show_large(trial.macs)))
    columns = [name for split in splits for name in (f"{split} loss", f"{split} acc")]
    failed = [f" Trial {one.number} failed: {one.error}." for one in trials if one.error]
    return TextTable(
        folder.record.sweep.name,
        ("trial", *_short(keys), *columns, "MACs"),
        tuple(rows),
        _NOTE + "".join(failed),
    )


def write_results(folder: SweepFolder) -> Path:
    """Write sweep.csv, sweep.md and sweep.html, and return the page's path."""
    table = results_table(folder)
    trials = folder.trials()
    write_text(folder.path / "sweep.csv", _as_csv(folder, trials))
    write_text(folder.path / "sweep.md", table.to_markdown())
    finished = [trial for trial in trials if trial.status == "finished"]
    page = folder.path / "sweep.html"
    write_text(
        page,
        environment()
        .get_template("sweep.html")
        .render(
            sweep=folder.record.sweep,
            table=table,
            trials=trials,
            finished=finished,
            best=chosen(trials),
            settings=_show_settings,
            seconds=show_duration(sum(trial.seconds or 0 for trial in finished)),
            parallel=embed(_parallel(folder, finished)) if finished else None,
            tradeoff=embed(_tradeoff(finished)) if finished else None,
            curves=[
                (quantity, embed(figures.draw_curves(_histories(folder, finished), quantity)))
                for quantity in ("val_loss", "val_accuracy")
                if finished
            ],
        ),
    )
    return page


def _parallel(folder: SweepFolder, finished: list[Trial]) -> Figure:
    keys = folder.record.sweep.keys
    columns: dict[str, list[float | str]] = {
        name: [_place(trial.settings[key]) for trial in finished]
        for key, name in zip(keys, _short(keys), strict=True)
    }
    columns["M MACs"] = [(trial.macs or 0) / 1e6 for trial in finished]
    columns["val accuracy"] = [trial.scores["val"].accuracy for trial in finished]
    return figures.draw_parallel(columns, "val accuracy")


def _tradeoff(finished: list[Trial]) -> Figure:
    return figures.draw_tradeoff(
        [
            figures.Point(f"{trial.number}", trial.macs or 0, trial.scores["val"].accuracy)
            for trial in finished
        ],
        "val accuracy",
    )


def _histories(folder: SweepFolder, finished: list[Trial]) -> dict[str, list[dict[str, float]]]:
    return {
        f"trial {trial.number}": Run(folder.run_path(trial.number)).history()
        for trial in _best_of(finished)
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
    """Return a setting as short as it can be read: ``64-64-128`` for a list."""
    if isinstance(value, list):
        return "-".join(map(str, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _show_settings(trial: Trial) -> str:
    return ", ".join(
        f"{key.split('.')[-1]} {show_value(value)}" for key, value in trial.settings.items()
    )


def _as_csv(folder: SweepFolder, trials: list[Trial]) -> str:
    best = chosen(trials)
    rows = []
    for trial in trials:
        row: dict[str, Any] = {"trial": trial.number, "status": trial.status}
        for key in folder.record.sweep.keys:
            value = trial.settings[key]
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
