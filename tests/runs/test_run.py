"""A run directory: made whole, opened, locked, and refused where it is damaged."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from mien.errors import MienError, RunError
from mien.runs.run import Run


@pytest.fixture
def copy(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "copy")
    return Run(tmp_path / "copy")


def test_a_run_is_made_and_opened_again(run, tmp_path):
    record = run.record.model_copy(update={"status": "training"})
    made = Run.create(tmp_path / "made", run.recipe, record)
    opened = Run(tmp_path / "made")
    assert opened.record == made.record == record
    assert opened.recipe.as_dict() == run.recipe.as_dict()
    assert opened.history() == []
    opened.update(status="interrupted")
    assert Run(tmp_path / "made").record.status == "interrupted"
    with pytest.raises(RunError, match=r"made: exists already; .* mien train --resume"):
        Run.create(tmp_path / "made", run.recipe, record)


def test_data_whose_name_is_not_utf_8_is_no_damage(copy):
    path = os.fsdecode(b"/data/caf\xe9.csv")
    copy.update(data=copy.record.data.model_copy(update={"paths": (path,)}))
    assert Run(copy.path).record.data.paths == (path,)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda path: shutil.rmtree(path),
            "copy: no such run directory; make one with mien train, or measure a shipped ",
        ),
        (lambda path: (path / "run.json").unlink(), "copy: not a run directory, it contains no ru"),
        (lambda path: (path / "run.json").write_text("{}"), r"run.json: damaged \(status: field r"),
        (lambda path: (path / "run.json").write_text("{"), r"run.json: damaged \(not JSON: "),
        (lambda path: (path / "recipe.toml").unlink(), r"recipe.toml: cannot be read \(No such"),
        (lambda path: (path / "recipe.toml").write_text("[train"), r"recipe.toml: damaged \("),
    ],
    ids=["no directory", "no record", "empty record", "half a record", "no recipe", "bad recipe"],
)
def test_a_damaged_run_is_one_line(copy, damage, said):
    damage(copy.path)
    with pytest.raises(MienError, match=said) as error:
        Run(copy.path)
    assert "\n" not in str(error.value)


def test_a_run_is_trained_by_one_process_at_a_time(copy):
    def train() -> None:
        with Run(copy.path).locked():
            pass

    with copy.locked(), ThreadPoolExecutor(1) as other:
        with pytest.raises(RunError, match="copy: is being trained by another process"):
            other.submit(train).result()
    train()


def test_results_are_removed_and_what_they_were_made_of_stays(copy):
    leftover = copy.path / "checkpoints" / ".last.ckpt.0a1b2c3d.ckpt"
    leftover.write_text("half a file")
    (copy.path / "test_log.csv").write_text("time\n")
    copy.remove_results()
    assert not leftover.exists()
    for path in (
        copy.weights_path,
        copy.bundle_path,
        copy.report_path,
        copy.evaluation_path("val"),
    ):
        assert not path.exists()
    for path in (copy.history_path, copy.last_checkpoint, copy.path / "test_log.csv"):
        assert path.is_file()
