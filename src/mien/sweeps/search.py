"""The next settings of a search, drawn by Optuna."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from mien.sweeps.folder import Trial
from mien.sweeps.spec import Range, Settings, Sweep

_ATTEMPTS: Final = 50

_STATES: Final = {
    "open": TrialState.RUNNING,
    "stopped": TrialState.RUNNING,
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def suggest(sweep: Sweep, trials: list[Trial]) -> Settings | None:
    """Return the next settings of a search, guided by the validation accuracy of finished trials.

    Settings that have been tried are drawn again; None if 50 draws give nothing new. The draw
    depends only on the seed, its number and the trials so far, so that a resumed search draws the
    same settings as an uninterrupted one.

    Args:
        sweep: search that the settings are drawn for.
        trials: all trials so far, by number.

    Source: Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011, as in Optuna.
    """
    distributions = distributions_of(sweep)
    tried = [trial.settings for trial in trials]
    with quiet_optuna():
        for attempt in range(_ATTEMPTS):
            seeds = np.random.SeedSequence((sweep.seed, len(trials), attempt))
            sampler = optuna.samplers.TPESampler(seed=int(seeds.generate_state(1)[0]))
            study = optuna.create_study(direction="maximize", sampler=sampler)
            study.add_trials([_as_optuna(trial, sweep, distributions) for trial in trials])
            settings = settings_of(sweep, study.ask(distributions).params)
            if settings not in tried:
                return settings
    return None


def distributions_of(sweep: Sweep) -> dict[str, BaseDistribution]:
    """Return what Optuna draws for a search, by the key of the setting."""
    return {key: _distribution(one) for key, one in sweep.search.items()}


def settings_of(sweep: Sweep, drawn: Mapping[str, Any]) -> Settings:
    """Return the settings of a search that Optuna has drawn."""
    return {
        key: one.choices[drawn[key]] if one.choices else drawn[key]
        for key, one in sweep.search.items()
    }


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Let Optuna log only warnings inside this block."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _distribution(one: Range) -> BaseDistribution:
    if one.choices:  # Optuna takes no lists as choices, so it chooses among positions
        return CategoricalDistribution(range(len(one.choices)))
    assert one.low is not None
    assert one.high is not None
    if isinstance(one.low, int) and isinstance(one.high, int):
        return IntDistribution(one.low, one.high, log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _as_optuna(
    trial: Trial, sweep: Sweep, distributions: dict[str, BaseDistribution]
) -> FrozenTrial:
    params = {
        key: one.choices.index(trial.settings[key]) if one.choices else trial.settings[key]
        for key, one in sweep.search.items()
    }
    value = trial.scores["val"].accuracy if trial.status == "finished" else None
    return create_trial(
        params=params, distributions=distributions, value=value, state=_STATES[trial.status]
    )
