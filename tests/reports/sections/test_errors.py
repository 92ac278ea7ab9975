from __future__ import annotations

import csv
import json
from collections import Counter

import numpy as np
from matplotlib.colors import to_hex

from mien.data.write import write_dataset
from mien.evaluation import Evaluation
from mien.labels import FER2013
from mien.reports.report import write_report
from mien.reports.sections import SECTIONS
from mien.reports.svg import COLOURS

ErrorsSection = SECTIONS["errors"]


def test_its_table_has_the_evaluations_scores(text, reported):
    evaluation = Evaluation.load(reported.evaluation_path("val"))
    for row in evaluation.per_class:
        scores = (row.precision, row.recall, row.f1, row.roc_auc)
        cells = ["–" if score is None else f"{score:.3f}" for score in scores]
        expected = "".join(f"<td>{c}</td>" for c in (row.emotion, f"{row.images:,}", *cells))
        assert expected in text


def test_an_emotion_that_the_split_has_not_is_said(reported, faces, tmp_path):
    rows = np.nonzero((faces.splits != "val") | ~np.isin(faces.labels, [1, 4]))[0]
    write_dataset(faces.take(rows), tmp_path / "fewer.csv", "csv")
    page = write_report(reported, data=[tmp_path / "fewer.csv"], out=tmp_path / "page.html")
    text = page.read_text()
    assert "has no face labelled disgust or sad" in text
    assert "<td>disgust</td><td>0</td><td>–</td>" in text


def test_the_pairs_confused_most_often_are_in_page_and_file(text, reported, content):
    numbers = json.loads((reported.path / "figures" / "report.json").read_text())
    assert numbers["most_confused"]
    for pair in numbers["most_confused"]:
        assert f"<b>{pair['label']}</b> read as <b>{pair['read']}</b>: {pair['images']:,} " in text
    above = Counter((one.label, one.emotion) for one in SECTIONS["faces"](content).mistakes)
    for pair, examples in ErrorsSection(content).confused:
        assert len(examples) == min(6, pair.images - above[pair.label, pair.read])
        assert {(one.label, one.emotion) for one in examples} == {(pair.label, pair.read)}
        sure = [one.probability for one in examples]
        assert sure == sorted(sure, reverse=True)


def test_its_curves_and_files_have_the_evaluations_numbers(text, reported):
    folder = reported.path / "figures"
    evaluation = Evaluation.load(reported.evaluation_path("val"))
    numbers = json.loads((folder / "report.json").read_text())
    summary = evaluation.summary().model_dump(mode="json")
    assert numbers["evaluation"] == json.loads(json.dumps(summary))
    for areas in (evaluation.areas.roc, evaluation.areas.precision):
        for name, area in areas.items():
            assert area is None or f"{name} {area:.3f}" in text
    with (folder / "confusion.csv").open() as file:
        counts = [[int(row[emotion]) for emotion in FER2013.names] for row in csv.DictReader(file)]
    assert counts == [list(row) for row in evaluation.confusion]


def test_an_emotion_has_its_own_colour_in_both_figures(content):
    figures = ErrorsSection(content).figures()
    for name in ("roc", "precision-recall"):
        named = [(str(line.get_label()).split()[0], line) for line in figures[name].axes[0].lines]
        drawn = {word: line.get_color() for word, line in named if word in FER2013.names}
        assert len(drawn) > 2
        assert drawn == {word: FER2013.colours[FER2013.names.index(word)] for word in drawn}


def test_the_share_of_a_cell_is_its_opacity(content):
    axes = ErrorsSection(content).figures()["confusion"].axes[0]
    counts = np.array(content.evaluation.confusion)
    shares = (counts / np.maximum(counts.sum(1, keepdims=True), 1)).ravel()
    colours = axes.collections[0].get_facecolor()
    np.testing.assert_allclose(colours[:, 3], 0.8 * shares)
    assert {to_hex(colour) for colour in colours} == {COLOURS[0].lower()}
