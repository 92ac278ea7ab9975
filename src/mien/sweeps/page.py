"""The page ``sweep.html``: the chosen trial, what to do with it, and how all trials went."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, Final

from matplotlib.figure import Figure

from mien.evaluation.describe import show_score
from mien.reports.advice import Advice
from mien.reports.figures import comparison as figures
from mien.reports.pages import TextTable, embed, render_page, show_duration, show_value
from mien.runs.evaluations import kept_evaluation
from mien.runs.run import Run
from mien.sweeps.folder import SweepFolder, Trial

_CURVES: Final = 12  # lines of more trials cannot be told apart
_COMPARED: Final = 3  # trials that the chosen one is compared with
_FEWEST: Final = 3  # values of a grid, of which the best one can be at an end by more than chance


def render_sweep(
    folder: SweepFolder, trials: Sequence[Trial], best: Trial | None, table: TextTable
) -> str:
    """Return the page of a sweep as HTML.

    Args:
        folder: directory of the sweep.
        trials: all its trials.
        best: chosen trial; None if none has been measured yet.
        table: settings and scores of all trials.
    """
    sweep = folder.record.sweep
    measured = [trial for trial in trials if trial.measured]
    curves, drawn, tradeoff = [], False, None
    if measured:
        here = [trial for trial in measured if folder.run_path(trial.number).is_dir()]
        histories = _histories(folder, here)
        drawn = any(Run(folder.run_path(one.number)).record.data.drawn for one in here[:1])
        curves = [
            (column, embed(figures.draw_curves(histories, column)))
            for column in ("val_loss", "val_accuracy")
        ]
        if len({trial.macs for trial in measured}) > 1:
            tradeoff = embed(_tradeoff(measured))
    return render_page(
        "sweep.html",
        sweep=sweep,
        table=table,
        trials=trials,
        finished=[trial for trial in trials if trial.status == "finished"],
        measured=measured,
        most_curves=_CURVES,
        verdict=_verdict(folder, measured, best) if best else "No trial has been measured yet.",
        steps=_next_steps(folder, measured, best) if best else [],
        seconds=show_duration(sum(trial.seconds or 0 for trial in measured)),
        parallel=embed(_parallel(folder, measured, best)) if best else None,
        tradeoff=tradeoff,
        curves=curves,
        drawn=drawn,
    )


def short_names(keys: Sequence[str]) -> list[str]:
    """Return the last parts of dotted keys, or whole keys if two of these are equal."""
    last = [key.split(".")[-1] for key in keys]
    return last if len(set(last)) == len(last) else list(keys)


def _verdict(folder: SweepFolder, measured: Sequence[Trial], best: Trial) -> str:
    """Return the choice in a sentence, with the trials that are as good."""
    accuracy = _accuracy(best)
    settings = best.name or ", ".join(
        f"{name} {show_value(best.settings[key])}"
        for key, name in zip(best.settings, short_names(list(best.settings)), strict=True)
    )
    verdict = (
        f"The highest validation accuracy, {show_score(accuracy)}, was reached with {settings}"
    )
    if not best.name:
        verdict += f" (trial {best.number})"
    others = [trial for trial in measured if trial is not best]
    if tied := [trial for trial in others if _accuracy(trial) == accuracy]:
        verdict += f"; {_listed(tied)} reached the same, and the first one is chosen"
    path = folder.run_path(best.number)
    kept = kept_evaluation(Run(path), "val") if path.is_dir() else None
    if kept is None or kept.accuracy.low is None or not others:
        return f"{verdict}."
    near = sum(_accuracy(trial) >= kept.accuracy.low for trial in others)
    interval = f"{show_score(kept.accuracy.low)} to {show_score(kept.accuracy.high)}"
    if not near:
        return f"{verdict}; no other trial is within its 95% interval, {interval}."
    return (
        f"{verdict}; within its 95% interval, {interval}, "
        f"{'is' if near == 1 else 'are'} {near} of the {len(others)} other trials, so that chance "
        "may decide between them."
    )


def _next_steps(folder: SweepFolder, measured: Sequence[Trial], best: Trial) -> list[Advice]:
    """Return what to do with the chosen trial, with commands that run as they stand."""
    path = folder.run_path(best.number)
    if not path.is_dir():
        return [
            Advice(
                f"Another process trained {best.label}, and has its run in its own directory: mien "
                "sweep status names the process of each trial."
            )
        ]
    data = [word for one in folder.record.paths for word in ("--data", one)]
    ranked = sorted(measured, key=_accuracy, reverse=True)
    rivals = [trial for trial in ranked if trial is not best][:_COMPARED]
    steps = [
        Advice(
            "See where the chosen network is right and where it is wrong.",
            _command("mien", "report", path),
        )
    ]
    if rivals:
        steps.append(
            Advice(
                "Compare it with the next best, face by face: is the difference more than chance?",
                _command("mien", "compare", path, *(folder.run_path(one.number) for one in rivals)),
            )
        )
    for key, values in folder.record.sweep.grid.items():
        if (end := _end_of(values, best.settings.get(key))) is not None:
            value = f"{key} = {best.settings[key]:g}"
            steps.append(Advice(f"{value} is the {end} value that was tried: go further."))
    seed = f"train.seed={Run(path).recipe.train.seed + 1}"
    skip_bad = ["--skip-bad"] if folder.record.skip_bad else []
    steps.append(
        Advice(
            "Train it again with another seed: if the score changes as much as between trials, the "
            "settings hardly matter.",
            _command(
                *("mien", "train", path / "recipe.toml", *data, *skip_bad, "--set", seed),
                *("--out", f"{folder.path}-another-seed"),
            ),
        )
    )
    if "test" in Run(path).record.data.split_counts and "test" not in best.scores:
        steps.append(
            Advice(
                "When nothing is left to choose, measure it once on test.",
                _command("mien", "evaluate", path, *data, "--split", "test"),
            )
        )
    return steps


def _command(*words: Any) -> str:
    return shlex.join(map(str, words))


def _end_of(values: Sequence[Any], value: Any) -> str | None:
    """Return ``largest`` or ``smallest`` if the best of several numbers is one of the ends."""
    numbers = {one for one in values if _is_number(one)}
    if len(numbers) < _FEWEST or value not in (ends := (min(numbers), max(numbers))):
        return None
    return "smallest" if value == ends[0] else "largest"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _accuracy(trial: Trial) -> float:
    return trial.scores["val"].accuracy


def _listed(trials: Sequence[Trial]) -> str:
    names = [trial.label for trial in trials]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _parallel(folder: SweepFolder, measured: list[Trial], best: Trial) -> Figure:
    """Draw the settings that differ between the trials, their cost and their score."""
    sweep = folder.record.sweep
    columns: dict[str, list[float | str]]
    if sweep.variants:  # each is compared as a whole
        columns = {"variant": [trial.name for trial in measured]}
    else:
        columns = {
            name: [_place(trial.settings[key]) for trial in measured]
            for key, name in zip(sweep.keys, short_names(sweep.keys), strict=True)
        }
    columns["M MACs"] = [(trial.macs or 0) / 1e6 for trial in measured]
    differing = {name: values for name, values in columns.items() if len(set(values)) > 1}
    scores: list[float | str] = [_accuracy(trial) for trial in measured]
    return figures.draw_parallel(
        {**(differing or columns), "val accuracy": scores}, chosen=measured.index(best)
    )


def _place(value: Any) -> float | str:
    """Return a setting for parallel coordinates: a number, placed by its size, or a text."""
    return value if _is_number(value) else show_value(value)


def _tradeoff(measured: list[Trial]) -> Figure:
    points = [
        figures.Point(trial.name or f"{trial.number}", trial.macs or 0, _accuracy(trial))
        for trial in measured
    ]
    return figures.draw_tradeoff(points, "val accuracy")


def _histories(folder: SweepFolder, measured: list[Trial]) -> dict[str, list[dict[str, float]]]:
    """Return the histories of the best trials, in the order of their numbers."""
    ranked = sorted(measured, key=lambda trial: -_accuracy(trial))
    best = sorted(ranked[:_CURVES], key=lambda trial: trial.number)
    return {
        trial.name or trial.label: Run(folder.run_path(trial.number)).history() for trial in best
    }
