"""A comparison on paper: every form shows the same figures, and the page is whole."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace

import pytest

from mien.evaluation.significance import compare
from mien.reports.comparison import comparison_tables, verdicts, write_comparison
from mien.runs.compare import load_compared_runs


@pytest.fixture(scope="module")
def comparison(run, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "second|run"
    shutil.copytree(run.path, other)
    return compare(load_compared_runs([run.path, other]))


def test_every_figure_of_a_table_stands_in_page_and_markdown(comparison, tmp_path):
    page = write_comparison(comparison, tmp_path / "out")
    html, markdown = page.read_text(), page.with_suffix(".md").read_text()
    tables = comparison_tables(comparison)
    assert [table.title for table in tables] == ["Scores", "F1 by class", "Cost", "Pairs"]
    for table in tables:
        for row in table.rows:
            for cell in row:
                assert cell in html
                assert cell.replace("|", "\\|") in markdown
    assert html.count("<svg") == 2 + 4  # all cost the same, so there is no figure of cost
    assert "Expressions are not feelings" in html
    assert "http://" not in html.replace("http://www.w3.org", "")  # nothing is loaded


def test_the_csv_holds_the_evaluations_own_figures(comparison, tmp_path):
    page = write_comparison(comparison, tmp_path)
    with page.with_suffix(".csv").open() as handle:
        rows = list(csv.DictReader(handle))
    for row, compared in zip(rows, comparison.runs, strict=True):
        assert row["run"] == compared.name
        assert float(row["accuracy"]) == compared.evaluation.accuracy.value
        assert float(row["f1_happy"]) == compared.evaluation.per_class[3].f1
        assert float(row["calibration_error"]) == compared.evaluation.calibration_error
    with (tmp_path / "pairs.csv").open() as handle:
        (pair,) = csv.DictReader(handle)
    assert (pair["only_better"], pair["p_value"]) == ("0", "1.0")  # a copy reads alike


def test_runs_on_other_images_are_shown_apart(run, tmp_path):
    ours, theirs = load_compared_runs([run.path, _measured_on_val(run, tmp_path)], "val")
    moved = theirs.evaluation.model_copy(
        update={
            "protocol": theirs.evaluation.protocol.model_copy(
                update={"split_fingerprint": "elsewhere"}
            )
        }
    )
    comparison = compare([ours, type(theirs)(**{**vars(theirs), "evaluation": moved})])
    html = write_comparison(comparison, tmp_path / "out").read_text()
    assert "Not ranked together" in html.split("<section")[0]
    assert "To rank them, train them on the same data set" in html
    assert [table.title for table in comparison_tables(comparison)].count("Scores") == 2


def _measured_on_val(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "copy")
    return tmp_path / "copy"


def test_the_first_sentence_is_the_outcome_of_the_best_pair(run, tmp_path):
    ours, theirs = load_compared_runs([run.path, _measured_on_val(run, tmp_path)])
    ours = replace(ours, name="ours", settings={"train.lr": 0.1, "train.epochs": 2})
    theirs = replace(theirs, name="theirs", settings={"train.lr": 0.2, "train.epochs": 2})
    comparison = compare([ours, theirs])
    (verdict,) = verdicts(comparison)
    assert "0.0 percentage points more" in verdict  # the same weights
    assert "p = 1.000): no more than chance may give." in verdict
    assert verdict in write_comparison(comparison, tmp_path / "page").read_text()
    differences = comparison_tables(comparison)[0]
    assert differences.rows == (("train.lr", "0.1", "0.2"),)
