from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["faces.csv"],
            "ends in .csv, but the layout is folders, if none is named; choose another",
        ),
        (["faces.csv", "--layout", "parquet"], "the layout is parquet, as you ask"),
    ],
)
def test_a_name_that_ends_as_another_layout_is_refused(
    mien, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    outcome = mien("data", "synth", *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
