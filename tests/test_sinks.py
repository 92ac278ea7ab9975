"""The public door of the sinks, `mien.sinks`."""

from __future__ import annotations

import csv

import pytest
from tests.vision.made import DATA

import mien


def test_every_public_name_is_there():
    for name in mien.sinks.__all__:
        assert getattr(mien.sinks, name) is not None
    assert sorted(mien.sinks.__all__) == dir(mien.sinks)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mien.sinks.nothing


def test_every_sink_of_mien_is_public():
    own = [
        sink.__name__
        for sink in mien.sinks.SINKS.all().values()
        if sink.__module__.startswith("mien.")
    ]
    assert set(own) <= set(mien.sinks.__all__)
    assert len(own) == 7


def test_whoever_calls_a_reader_gives_its_readings_to_a_sink(tmp_path):
    reader = mien.Reader(detector="haar")
    with mien.sinks.CsvSink(tmp_path / "out.csv") as sink:
        for frame, readings in reader.stream(DATA / "astronaut.png"):
            sink.add(frame, readings)
    assert sink.saved == [tmp_path / "out.csv"]
    with (tmp_path / "out.csv").open(newline="") as handle:
        (row,) = csv.DictReader(handle)
    assert row["emotion"] == "happy"
