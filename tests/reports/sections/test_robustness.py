from __future__ import annotations

import csv
import json

import numpy as np
import pytest


def test_its_files_hold_what_the_page_says(reported, text):
    folder = reported.path / "figures"
    robustness = json.loads((folder / "report.json").read_text())["robustness"]
    assert f"The accuracy is {robustness['clean']:.3f} on the unchanged faces" in text
    assert f"{robustness['mean']:.3f} on average over all changes" in text
    worst = min(robustness["accuracy"], key=lambda name: sum(robustness["accuracy"][name]))
    assert f"drops most under {worst.split(' (')[0]}" in text
    with (folder / "robustness.csv").open() as file:
        mean = np.mean([float(row["accuracy"]) for row in csv.DictReader(file)])
    assert mean == pytest.approx(robustness["mean"])
