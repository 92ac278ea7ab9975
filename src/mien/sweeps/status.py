"""How far the processes of a study are: ``mien sweep status``."""

from __future__ import annotations

from collections import Counter

import optuna

from mien.errors import RunError, nearest
from mien.reports.pages import NO_VALUE, TextTable, show_value
from mien.sweeps.folder import Trial
from mien.sweeps.study import opened, sweep_of, trial_of

_WORDS = {
    "RUNNING": "running",
    "WAITING": "waiting",
    "COMPLETE": "finished",
    "PRUNED": "pruned",
    "FAIL": "failed",
}


def status_table(storage: str, name: str | None = None) -> TextTable:
    """Return a table with a row per trial of a study: its settings, status, score and process.

    Args:
        storage: address of the study, as for `mien.sweeps.source.Shared`.
        name: name of the study; None for the only one there is.

    Raises:
        RunError: if the storage is not reached, or has no such study.
    """
    with opened(storage) as found:
        names = optuna.get_all_study_names(found)
        if not names:
            raise RunError(
                "the storage has no study yet; start one: mien sweep … --storage ADDRESS"
            )
        if name is None and len(names) > 1:
            raise RunError(f"there are several studies; name one with --study: {', '.join(names)}")
        name = name or names[0]
        if name not in names:
            raise RunError(
                f"study {name}: there is none of that name{nearest(name, names)}; there are: "
                f"{', '.join(names)}"
            )
        study = optuna.load_study(study_name=name, storage=found)
        trials = study.get_trials(deepcopy=False)
        sweep = sweep_of(study)
    states = Counter(_WORDS[trial.state.name] for trial in trials)
    rows = tuple(
        (
            str(trial.number),
            _WORDS[trial.state.name],
            NO_VALUE if trial.value is None else f"{trial.value:.3f}",
            str(trial.last_step or 0),
            trial.user_attrs.get("process", NO_VALUE),
            _settings(trial_of(trial, sweep)),
        )
        for trial in trials
    )
    note = ", ".join(f"{count} {word}" for word, count in states.items())
    columns = ("trial", "status", "val acc", "epochs", "process", "settings")
    return TextTable(f"Study {name}", columns, rows, f"{note}.")


def _settings(trial: Trial) -> str:
    words = [f"{key}={show_value(value)}" for key, value in trial.settings.items()]
    return ", ".join([trial.name] * bool(trial.name) + words)
