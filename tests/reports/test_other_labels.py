"""Every page of a run with three made-up classes in colour names no emotion of FER-2013's."""

from __future__ import annotations

import base64
import csv
import re
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.conftest import TINY
from tests.reports.page import Page

from mien.curation.audit import audit_dataset
from mien.data import FaceDataset
from mien.data.statistics import explore
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.errors import DataError
from mien.evaluation import Evaluation
from mien.evaluation.significance import compare
from mien.explain.faces import explain_faces, read_faces
from mien.explain.network import load_network
from mien.images.crop import CropSpec, encode_png
from mien.labels import BUILT_IN, FER2013, LabelSet, named_labels
from mien.reports.audit import write_audit
from mien.reports.comparison import comparison_records, comparison_tables, write_comparison
from mien.reports.content import gather
from mien.reports.explanation import write_explanations
from mien.reports.explore import write_exploration
from mien.reports.pages import to_csv
from mien.reports.report import write_report
from mien.reports.timeline import write_timeline
from mien.runs.compare import load_compared_runs
from mien.runs.data import load_run_data
from mien.runs.run import Run
from mien.training.train import train
from mien.vision.reader import Reader
from mien.vision.sources import Frame, open_source
from mien.vision.timeline import Timeline

NAMES = ("bored", "keen", "$tern$")  # a dollar sign begins a formula in Matplotlib
CROP = CropSpec(64, 3)
IMAGE_DATA = re.compile(r"base64,[A-Za-z0-9+/=]+")  # letters, but not words


@dataclass(frozen=True)
class Made:
    """Two runs on drawn faces of made-up classes, and the page of every kind about the first."""

    run: Run
    other: Run
    faces: FaceDataset
    pages: dict[str, Path]

    def text(self, name: str) -> str:
        return IMAGE_DATA.sub("", self.pages[name].read_text("utf-8"))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("made-up")
    drawn = synthetic_faces(150, seed=3, label_set=LabelSet(NAMES), crop=CROP)
    write_dataset(drawn, folder / "faces", "folders")
    settings = [
        *TINY, f"data.labels=[{', '.join(map(repr, NAMES))}]", "data.size_px=64", "data.channels=3",
        "augment.rotation_degrees=10",
    ]  # fmt: skip
    run, other = (
        train("quick", folder / "faces", folder / name, overrides=[*settings, f"train.seed={seed}"])
        for seed, name in enumerate(("first", "second"))
    )
    faces, _ = load_run_data(run)
    write_report(run, out=folder / "report.html", with_files=True)
    write_exploration(explore(faces), faces, folder)
    photographs = replace(faces, drawn=False)  # whose duplicates are named with their classes
    write_audit(audit_dataset(photographs), photographs, folder)
    write_comparison(compare(load_compared_runs([run.path, other.path])), folder)
    _write_explanations(run, faces, folder)
    _write_timeline(run, faces, folder / "timeline.html")
    return Made(run, other, faces, {path.stem: path for path in folder.glob("*.html")})


def _write_explanations(run: Run, faces: FaceDataset, folder: Path) -> None:
    (folder / "crops").mkdir()
    for row in range(3):
        (folder / "crops" / f"{row}.png").write_bytes(encode_png(faces.images[row]))
    reader, network = Reader(run.path, detector="none"), load_network(run.path)
    with open_source([str(folder / "crops")]) as source:
        read = read_faces(reader, source, most=3)
    maps, sanity = explain_faces(reader.bundle, network, read.faces, known=faces.train)
    write_explanations(
        folder / "explanation.html", maps, read, reader.bundle.metadata, sanity=sanity
    )


def _write_timeline(run: Run, faces: FaceDataset, page: Path) -> None:
    reader, timeline = Reader(run.path, detector="none"), Timeline()
    for index, image in enumerate(faces.images[:12]):
        frame = Frame(image[..., ::-1], "film.mp4", index, index / 2)
        (reading,) = reader.read(frame.image)
        timeline.add(frame, [replace(reading, track=1, seconds=index / 2)])
    write_timeline(timeline, "film.mp4", page)


def test_every_kind_of_page_was_written(made):
    kinds = {"report", "explore", "audit", "compare", "explanation", "timeline"}
    assert set(made.pages) == kinds


@pytest.mark.parametrize(
    "name", ["report", "explore", "audit", "compare", "explanation", "timeline"]
)
def test_a_page_has_the_names_of_its_data_and_no_emotion(made, name):
    text = made.text(name)
    for emotion in FER2013.names:
        assert not re.search(rf"\b{emotion}", text, re.IGNORECASE), emotion
    for own in NAMES:
        assert own in text
    page = Page(made.pages[name].read_text("utf-8"))
    assert page.images_without_words == 0
    assert len(page.ids) == len(set(page.ids))


def test_nothing_that_is_known_of_fer2013_alone_is_said(made):
    text = made.text("report")
    assert "People agree with FER-2013" not in text
    assert "Scores of other models" not in text
    assert "FER+" not in text
    assert "FER+" not in made.text("explore")


def test_faces_are_shown_in_colour_and_no_larger_than_needed(made):
    shown = [
        cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_UNCHANGED)
        for one in re.findall(r"base64,([A-Za-z0-9+/=]+)", made.pages["explore"].read_text("utf-8"))
    ]
    assert {one.shape for one in shown} == {(64, 64, 3)}
    crops = {one[..., ::-1].tobytes() for one in shown}
    assert sum(image.tobytes() in crops for image in made.faces.images) == 10 * len(NAMES)


def test_the_files_of_the_report_name_the_classes(made):
    figures = made.pages["report"].parent / "figures"
    with (figures / "confusion.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == list(NAMES)
    assert list(rows[0]) == ["label", *NAMES]
    kept = Evaluation.load(made.run.evaluation_path("val"))
    assert [[int(row[name]) for name in NAMES] for row in rows] == [*map(list, kept.confusion)]


def test_the_augmented_faces_are_of_the_first_classes(made):
    assert "a training face labelled bored" in made.text("report")


def test_class_colours_are_those_of_the_label_set(made):
    text = made.text("explanation")
    for colour in named_labels(NAMES).colours:
        assert f"background: {colour}" in text


def test_runs_with_other_labels_have_a_table_each_and_columns_for_all(made, run):
    """Two of one label set, one of another: refused in pairs, apart in a table of many."""
    comparison = compare(load_compared_runs([made.run.path, made.other.path, run.path]))
    assert "their labels differ" in comparison.why_apart
    tables = [table for table in comparison_tables(comparison) if table.title == "F1 by class"]
    assert [table.columns[1:] for table in tables] == [NAMES, FER2013.names]
    records = comparison_records(comparison)["runs"]
    rows = list(csv.DictReader(to_csv(records).splitlines()))
    assert len(rows) == 3
    assert rows[0]["f1_happy"] == rows[2]["f1_keen"] == ""
    assert rows[0]["f1_bored"] != "" != rows[2]["f1_angry"]


def test_a_report_on_data_of_other_labels_is_refused_in_a_line(made, layouts):
    with pytest.raises(DataError, match=r"tells bored, keen, \$tern\$ apart") as error:
        gather(made.run, data=layouts["folders"], split="val")
    assert "\n" not in str(error.value)


def test_a_report_on_the_majority_of_votes_has_eight_classes(faces, tmp_path):
    """FER+'s votes are the labels, so nothing is said about how these agree with the votes."""
    votes = 10 * np.eye(10, dtype=np.int8)[np.arange(len(faces)) % 8]
    write_dataset(replace(faces, votes=votes), tmp_path / "voted.parquet", "parquet")
    overrides = [*TINY, "train.epochs=1", "data.labels=ferplus"]
    run = train("quick", tmp_path / "voted.parquet", tmp_path / "run", overrides=overrides)
    kept = Evaluation.load(run.evaluation_path("val"))
    assert kept.names == BUILT_IN["ferplus"].names
    text = write_report(run).read_text("utf-8")
    assert "contempt" in text
    assert "FER+ voters" not in text
    assert "People agree with FER-2013" not in text
