from __future__ import annotations

import json

import pytest
from tests.vision.sinks.made import frame, names, reading

from mien.errors import MienError
from mien.vision.sinks.csv import CsvSink
from mien.vision.sinks.jsonl import JsonlSink
from mien.vision.target import AtomicTarget


@pytest.mark.parametrize("kind", [CsvSink, JsonlSink])
def test_what_is_written_can_be_read_before_the_end_under_another_name(kind, tmp_path):
    sink = kind(tmp_path / "out.txt")
    sink.add(frame(), [reading(frame())])
    (temporary,) = tmp_path.iterdir()
    assert temporary.name != "out.txt"
    assert temporary.read_text("utf-8").endswith("\n")
    assert "neutral" in temporary.read_text("utf-8")
    sink.close()
    assert names(tmp_path) == ["out.txt"]
    assert sink.saved == [tmp_path / "out.txt"]


def test_names_that_are_not_utf_8_are_written(tmp_path):
    shown = frame(source="\udcff.jpg")
    for sink in (CsvSink(tmp_path / "a.csv"), JsonlSink(tmp_path / "a.jsonl")):
        with sink:
            sink.add(shown, [reading(shown)])
    assert b"\xff.jpg" in (tmp_path / "a.csv").read_bytes()
    assert json.loads((tmp_path / "a.jsonl").read_text())["source"] == shown.source


def test_a_file_that_does_not_pass_its_last_check_is_discarded(tmp_path):
    def fail():
        raise MienError("is the disk full?")

    target = AtomicTarget(tmp_path / "out.txt")
    target.before_renaming(fail)
    with target.adding(frame()):
        target.temporary.write_text("half")
    with pytest.raises(MienError, match="disk full"):
        target.close()
    assert names(tmp_path) == []
