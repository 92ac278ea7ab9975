from __future__ import annotations

import pytest


def test_it_says_where_the_page_and_its_figures_are(mien, run):
    found = mien("report", run.path, "--figures")
    assert (found.code, found.err) == (0, "")
    assert f"report      {run.path / 'report.html'}" in found.out
    assert f"figures     {run.path / 'figures'}" in found.out
    assert (run.path / "figures" / "report.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no such run, Bundle file or shipped Bundle"),
        (["mien-xs"], "a Bundle does not say where its data is; name it: --data PATH"),
        (["mien-xs", "--data", "gone.csv"], "gone.csv"),
    ],
)
def test_bad_input_is_one_line_and_no_page(mien, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    found = mien("report", *arguments)
    assert found.code == 2
    assert said in found.err
    assert found.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
