"""The public door of the sinks, `mien.sinks`."""

from __future__ import annotations

import csv

import pytest
from tests.bundles import write_bundle
from tests.vision.made import DATA

import mien
from mien.vision.places import SourceFiles
from mien.vision.sources import open_source


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


def test_a_sink_of_ones_own_learns_the_classes_from_its_context(tmp_path):
    class Names(mien.sinks.Sink):
        @classmethod
        def open(cls, target, context):  # noqa: ARG003
            sink = cls()
            sink.names, sink.colours = context.labels.names, context.labels.colours
            return sink

        def add(self, frame, readings):
            pass

    names = tuple("abcdefgh")
    reader = mien.Reader(write_bundle(tmp_path / "own.onnx", names), detector="none")
    source = open_source(DATA / "astronaut.png")
    sink = Names.open("", mien.sinks.SinkContext(source, reader, SourceFiles()))
    assert sink.names == names
    assert len(set(sink.colours)) == len(names)
