from __future__ import annotations

import pytest
from tests.conftest import TINY

from mien.training.listener import TrainingListener
from mien.training.train import train


def test_in_python_a_training_prints_a_line_for_each_epoch(layouts, tmp_path, capsys):
    run = train("quick", layouts["csv"], tmp_path / "run", overrides=[*TINY, "train.epochs=2"])
    out, err = capsys.readouterr()
    assert out == ""
    start, header, first, second, *rest = err.splitlines()
    assert start.startswith(f"Training quick ({run.record.parameters:,} parameters) on ")
    assert header.split() == ["epoch", "loss", "acc", "val", "loss", "val", "acc", "images/s"]
    for line, row in zip((first, second), run.history(), strict=True):
        epoch, loss, accuracy, *_ = line.split()
        assert epoch == f"{row['epoch']:.0f}/2"
        assert float(loss) == pytest.approx(row["train_loss"], abs=6e-5)  # four decimals of six
        assert float(accuracy) == pytest.approx(row["train_accuracy"], abs=6e-5)
    assert rest == ["Writing the Bundle, and measuring it on val"]


def test_a_plain_listener_prints_nothing(layouts, tmp_path, capsys):
    silent = TrainingListener()
    train("quick", layouts["csv"], tmp_path / "run", overrides=TINY, listener=silent)
    assert capsys.readouterr() == ("", "")
