from __future__ import annotations

import shutil

import pytest


@pytest.fixture(scope="module")
def copied(run, tmp_path_factory):
    """A copy of the shared run, to be written to."""
    path = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(run.path, path)
    return path


def test_it_says_where_the_page_and_its_figures_are(mien, copied):
    found = mien("report", copied, "--figures")
    assert (found.code, found.err) == (0, "")
    assert f"report      {copied / 'report.html'}" in found.out
    assert f"figures     {copied / 'figures'}" in found.out
    assert (copied / "figures" / "report.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no such run, Bundle file or shipped Bundle"),
        (["mien-xs"], "a Bundle does not say where its data is; name some: --data PATH"),
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
