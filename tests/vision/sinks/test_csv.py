from __future__ import annotations

import csv
from dataclasses import replace

import pytest
from tests.bundles import RED_GREEN_BLUE, write_bundle
from tests.vision.sinks.made import NAME, Given, context, frame, names, reading

from mien.errors import MienError
from mien.labels import FER2013, LabelSet
from mien.vision import Reader
from mien.vision.sinks.csv import CsvSink, csv_columns


def read_csv(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_csv_has_a_row_a_face(tmp_path):
    path = tmp_path / "чтение.csv"
    with CsvSink(path) as sink:
        for index in range(3):
            shown = frame(index, index / 30)
            sink.add(shown, [reading(shown, track) for track in range(1, index + 1)])
    rows = read_csv(path)
    assert [(row["frame"], row["track"]) for row in rows] == [("1", "1"), ("2", "1"), ("2", "2")]
    assert tuple(rows[0]) == csv_columns(FER2013)
    assert rows[0]["source"] == NAME
    assert float(rows[0]["seconds"]) == pytest.approx(1 / 30, abs=1e-6)
    assert [rows[0][edge] for edge in ("left", "top", "right", "bottom")] == [
        "20",
        "40",
        "60",
        "80",
    ]
    assert sum(float(rows[0][emotion]) for emotion in FER2013.names) == pytest.approx(1, abs=1e-5)
    assert (rows[0]["score"], rows[0]["emotion"], rows[0]["uncertain"]) == (
        "0.875", "neutral", "true",
    )  # fmt: skip
    assert sink.saved == [path]
    assert names(tmp_path) == [path.name]


def test_a_csv_of_all_frames_has_rows_without_faces(tmp_path):
    with CsvSink(tmp_path / "all.csv", all_frames=True) as sink:
        sink.add(frame(0, 0.0), [])
        sink.add(frame(1, 0.5), [reading(frame(1, 0.5))])
    nothing, face = read_csv(tmp_path / "all.csv")
    given = {"source": NAME, "frame": "0", "seconds": "0.0"}
    assert nothing == {**dict.fromkeys(csv_columns(FER2013), ""), **given}
    assert face["track"] == "1"


def test_a_photo_has_neither_seconds_nor_track(tmp_path):
    with CsvSink(tmp_path / "photo.csv") as sink:
        sink.add(frame(), [reading(frame(), track=None)])
    (row,) = read_csv(tmp_path / "photo.csv")
    assert (row["frame"], row["seconds"], row["track"]) == ("0", "", "")


def test_the_columns_are_the_classes_of_the_readers_bundle(tmp_path):
    reader = Reader(write_bundle(tmp_path / "own.onnx"), detector="none")
    shown = frame(0, 0.0)
    with CsvSink.open(str(tmp_path / "r.csv"), context(Given(), reader)) as sink:
        sink.add(shown, reader.read(shown.image))
    (row,) = read_csv(tmp_path / "r.csv")
    assert list(row)[9:-2] == list(RED_GREEN_BLUE)
    assert sum(float(row[name]) for name in RED_GREEN_BLUE) == pytest.approx(1, abs=1e-5)


def test_a_class_with_the_name_of_another_column_has_one_of_its_own(tmp_path):
    labels = LabelSet(("frame", "probability frame", "left", "Score"))
    columns = csv_columns(labels)
    assert len(set(columns)) == len(columns)
    assert columns[9:-2] == (
        "probability frame", "probability probability frame", "probability left", "Score",
    )  # fmt: skip
    given = replace(
        reading(frame()), emotion="left", probabilities=dict.fromkeys(labels.names, 0.25)
    )
    with CsvSink(tmp_path / "r.csv", labels=labels) as sink:
        sink.add(frame(), [given])
    (row,) = read_csv(tmp_path / "r.csv")
    assert (row["frame"], row["probability frame"], row["left"]) == ("0", "0.25", "20")
    assert row["probability left"] == "0.25"


def test_a_reading_of_other_classes_is_refused_and_what_was_read_before_is_kept(tmp_path):
    other = replace(reading(frame()), emotion="red", probabilities={"red": 0.5, "blue": 0.5})
    with CsvSink(tmp_path / "r.csv") as sink:
        sink.add(frame(), [reading(frame())])
        with pytest.raises(MienError, match=r"r\.csv: .* red, blue .*labels=reader"):
            sink.add(frame(), [other])
    assert len(read_csv(tmp_path / "r.csv")) == 1
