"""The draws of a search, without training anything."""

from __future__ import annotations

import numpy as np
import optuna

from mien.sweeps.folder import Trial
from mien.sweeps.load import load_sweep
from mien.sweeps.search import suggest


def test_a_search_goes_where_scores_are_high():
    early, late = [], []
    for seed in range(3):
        sweep = load_sweep("quick", search=["train.lr=0.001..1.0"]).model_copy(
            update={"seed": seed}
        )
        trials: list[Trial] = []
        for number in range(30):
            settings = suggest(sweep, trials)
            score = {"loss": 1.0, "accuracy": 1 - abs(settings["train.lr"] - 0.3)}
            trials.append(
                Trial(number=number, settings=settings, status="finished", scores={"val": score})
            )
        distances = [1 - trial.scores["val"].accuracy for trial in trials]
        early += distances[:10]
        late += distances[20:]
    assert np.median(late) < np.median(early) / 2


def test_a_small_search_ends_when_everything_was_tried():
    sweep = load_sweep("quick", search=["train.optimizer=adam,sgd"], trials=5)
    trials: list[Trial] = []
    while (settings := suggest(sweep, trials)) is not None:
        score = {"loss": 1.0, "accuracy": 0.5}
        trials.append(
            Trial(number=len(trials), settings=settings, status="finished", scores={"val": score})
        )
    assert sorted(trial.settings["train.optimizer"] for trial in trials) == ["adam", "sgd"]


def test_another_seed_is_another_search():
    first, second = (
        load_sweep("quick", search=["train.lr=0.001..1.0"], overrides=[]).model_copy(
            update={"seed": seed}
        )
        for seed in (0, 1)
    )
    trial = Trial(number=0, settings={"train.lr": 0.5}, status="failed", error="x")
    drawn = {
        suggest(sweep, trials)["train.lr"] for sweep in (first, second) for trials in ([], [trial])
    }
    assert len(drawn) == 4


def test_optunas_log_level_is_put_back():
    before = optuna.logging.get_verbosity()
    suggest(load_sweep("quick", search=["train.lr=0.001..1.0"]), [])
    assert optuna.logging.get_verbosity() == before
