"""The page of a sweep: its verdict, and the commands that it offers."""

from __future__ import annotations

import re
import shlex
import shutil
from html import unescape

import pytest

from mien.runs.evaluations import kept_evaluation
from mien.runs.run import Run
from mien.sweeps.folder import SplitScore, SweepFolder, SweepRecord, Trial
from mien.sweeps.load import load_sweep
from mien.sweeps.results import write_results


@pytest.fixture
def made(trained, tmp_path):
    """A function that makes a sweep of the same run over and over, with accuracies of its own."""

    def make(accuracies, grid, *, macs=1_000_000) -> SweepFolder:
        record = SweepRecord(
            sweep=load_sweep("quick", grid=[grid]),
            paths=Run(trained.path).record.data.paths,
            fingerprint="",
            skip_bad=False,
        )
        folder = SweepFolder.create(tmp_path / "a sweep", record)
        for trial, accuracy in zip(folder.trials(), accuracies, strict=True):
            shutil.copytree(trained.path, folder.run_path(trial.number))
            score = SplitScore(loss=1.0, accuracy=accuracy)
            folder.save(
                Trial(
                    number=trial.number, settings=trial.settings, status="finished",
                    scores={"val": score}, macs=macs * (trial.number + 1) if macs else 5, seconds=1,
                )
            )  # fmt: skip
        return folder

    return make


def verdict_of(page):
    return unescape(re.search(r'class="verdict">(.*?)</p>', page)[1])


def test_ties_are_said(made):
    page = write_results(made([0.5, 0.7, 0.7, 0.7], "train.lr=0.01,0.02,0.03,0.04")).read_text()
    verdict = verdict_of(page)
    assert verdict.startswith("The highest validation accuracy, 0.700, was reached with lr 0.02 ")
    assert "trial 2 and trial 3 reached the same, and the first one is chosen" in verdict


def test_trials_within_the_interval_of_the_chosen_one_are_counted(made, trained):
    low = kept_evaluation(trained, "val").accuracy.low
    page = write_results(made([low - 0.01, 1.0, low], "train.lr=0.01,0.02,0.03")).read_text()
    assert "is 1 of the 2 other trials, so that chance may decide" in verdict_of(page)


def test_commands_name_the_chosen_run_and_its_data(made):
    folder = made([0.5, 0.9], "train.lr=0.01,0.02")
    page = write_results(folder).read_text()
    commands = [shlex.split(unescape(text)) for text in re.findall("<pre>(.*?)</pre>", page)]
    chosen, other = str(folder.run_path(1)), str(folder.run_path(0))
    assert ["mien", "report", chosen] in commands
    assert ["mien", "compare", chosen, other] in commands
    trains = next(words for words in commands if words[:2] == ["mien", "train"])
    assert trains[2] == f"{chosen}/recipe.toml"
    data = folder.record.paths[0]
    assert trains[trains.index("--data") + 1] == data
    assert ["mien", "evaluate", chosen, "--data", data, "--split", "test"] in commands


@pytest.mark.parametrize(
    ("accuracies", "end"), [([0.1, 0.2, 0.9], "largest"), ([0.9, 0.2, 0.1], "smallest")]
)
def test_a_best_value_at_the_end_of_a_grid_is_pointed_out(made, accuracies, end):
    page = write_results(made(accuracies, "train.lr=0.01,0.02,0.03")).read_text()
    assert f"is the {end} value that was tried" in page


def test_a_best_value_inside_a_grid_is_not(made):
    page = write_results(made([0.1, 0.9, 0.2], "train.lr=0.01,0.02,0.03")).read_text()
    assert "value that was tried" not in page


@pytest.mark.parametrize(("macs", "figures"), [(1_000_000, 4), (0, 3)])
def test_cost_is_drawn_where_it_differs(made, macs, figures):
    page = write_results(made([0.5, 0.9], "train.lr=0.01,0.02", macs=macs)).read_text()
    assert page.count("<svg") == figures
    assert (">M MACs<" in page) == (figures == 4)
