from __future__ import annotations

import csv

import pytest
from tests.vision.sinks.made import NAME, frame, names, reading

from mien.labels import EMOTIONS
from mien.vision.sinks.csv import CSV_COLUMNS, CsvSink


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
    assert tuple(rows[0]) == CSV_COLUMNS
    assert rows[0]["source"] == NAME
    assert float(rows[0]["seconds"]) == pytest.approx(1 / 30, abs=1e-6)
    assert [rows[0][edge] for edge in ("left", "top", "right", "bottom")] == [
        "20",
        "40",
        "60",
        "80",
    ]
    assert sum(float(rows[0][emotion]) for emotion in EMOTIONS) == pytest.approx(1, abs=1e-5)
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
    assert nothing == {**dict.fromkeys(CSV_COLUMNS, ""), **given}
    assert face["track"] == "1"


def test_a_photo_has_neither_seconds_nor_track(tmp_path):
    with CsvSink(tmp_path / "photo.csv") as sink:
        sink.add(frame(), [reading(frame(), track=None)])
    (row,) = read_csv(tmp_path / "photo.csv")
    assert (row["frame"], row["seconds"], row["track"]) == ("0", "", "")
