from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["faces.csv"],
            "ends in .csv, but the layout is folders; choose another name, or --layout csv",
        ),
        (["faces.csv", "--layout", "parquet"], "ends in .csv, but the layout is parquet; choose"),
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


def test_an_unknown_layout_is_answered_with_all_that_there_are(mien, tmp_path):
    outcome = mien("data", "synth", tmp_path / "faces", "--layout", "foldrs")
    assert outcome.code == 2
    said = " ".join(outcome.err.replace("│", " ").split())
    assert "no layout is called 'foldrs' (did you mean 'folders'?); there are: csv," in said
    assert not list(tmp_path.iterdir())
