"""The report as a whole: one file, for everybody, with what is missing said."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from tests.reports.page import Page

from mien.data.write import write_dataset
from mien.errors import MienError, RunError
from mien.evaluation import Evaluation
from mien.reports.report import draw_sections, figures_folder, render_report, write_report
from mien.runs.run import Run
from mien.runs.test_log import count_measurements


def test_it_is_one_file_that_needs_no_other(text):
    page = Page(text)
    assert page.scripts == 0
    assert all(a.startswith(("data:image/png", "#")) for a in page.addresses)
    assert "@import" not in text
    assert len(text) < 6_000_000


def test_it_can_be_read_by_anybody(text):
    page = Page(text)
    assert page.images_without_words == 0
    assert len(page.ids) == len(set(page.ids))
    assert text.count('role="img" aria-label=') == text.count("<svg")
    assert "prefers-color-scheme: dark" in text
    assert "#010203" not in text  # figures take the page's ink


def test_its_navigation_leads_to_every_section(text):
    linked = re.findall(r'<a href="#([\w-]+)">', text)
    assert linked[0] == "summary"
    assert "reproduce" in linked
    assert linked == re.findall(r'<h2 id="([\w-]+)">', text)


def test_the_faces_that_it_holds_are_counted(text):
    faces = len(re.findall(r'class="(drawn|mistake|unsure|doubt|small|seen) ', text))
    faces += text.count('alt="a training face') + text.count('alt="the same face, augmented"')
    assert f"This file holds {faces} faces" in text
    means = text.count('alt="mean face labelled')
    assert Page(text).images == faces + means


def test_without_the_data_it_says_so(own_run, reported, tmp_path):
    run = Run(own_run)
    data = run.record.data.model_copy(update={"paths": (str(tmp_path / "gone.csv"),)})
    run.update(data=data)
    text = write_report(own_run).read_text()
    assert "no longer where it was" in text
    assert "data:image/png" not in text
    assert "This file holds 0 faces" in text
    assert 'class="value"' in text  # what the run has measured is still told
    again = write_report(own_run, data=reported.record.data.paths, out=tmp_path / "again.html")
    assert "data:image/png" in again.read_text()


def test_a_name_cannot_smuggle_markup_in(content):
    named = replace(content, name="<script>alert(1)</script>", data="<script>alert(2)</script>")
    text = render_report(named, draw_sections(named))
    assert "alert(1)" in text
    assert "alert(2)" in text
    assert Page(text).scripts == 0


def test_what_was_never_measured_is_measured_now(own_run, reported):
    kept = Run(own_run).evaluation_path("val")
    kept.unlink()
    assert 'class="value"' in write_report(own_run).read_text()
    assert Evaluation.load(kept) == Evaluation.load(reported.evaluation_path("val"))
    kept.write_text("{")
    with pytest.raises(RunError, match="damaged"):
        write_report(own_run)


def test_a_measurement_on_a_test_split_is_logged_once(own_run):
    page = write_report(own_run, split="test")
    assert page == own_run / "report-test.html"
    assert "test split of" in page.read_text()
    assert count_measurements(own_run) == 1
    write_report(own_run, split="test")
    assert count_measurements(own_run) == 1


def test_a_run_with_nothing_but_its_record_says_what_is_missing(own_run):
    for name in ("evaluations", "checkpoints"):
        shutil.rmtree(own_run / name)
    for name in ("model.onnx", "history.csv"):
        (own_run / name).unlink()
    text = write_report(own_run).read_text()
    assert "no Bundle that can be opened" in text
    assert "There is no evaluation on val" in text
    assert "No epoch has ended yet" in text
    assert Page(text).images_without_words == 0
    assert 'class="value"' not in text


def test_numbers_that_are_none_in_the_history_are_said_and_left_out(own_run):
    lines = (own_run / "history.csv").read_text().splitlines()
    cells = lines[2].split(",")
    cells[1] = "nan"
    (own_run / "history.csv").write_text("\n".join([*lines[:2], ",".join(cells)]) + "\n")
    text = write_report(own_run).read_text()
    assert "values that are not numbers, in 1 of 2 epochs (the first is epoch 2)" in text
    words = re.sub(r'base64,[^"]*', "", text)
    assert not re.search(r"\bnan\b", words, re.IGNORECASE)


def test_a_single_image_gets_a_report(reported, faces, tmp_path):
    train, val = (np.nonzero(faces.splits == split)[0] for split in ("train", "val"))
    rows = np.append(train, val[:1])
    write_dataset(faces.take(rows), tmp_path / "one.csv", "csv")
    page = write_report(reported, data=[tmp_path / "one.csv"], out=tmp_path / "page.html")
    text = page.read_text()
    assert "1 image" in text
    assert Page(text).images_without_words == 0


def test_a_bundle_alone_gets_one_on_data_that_is_named(reported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundle = tmp_path / "mine.onnx"
    shutil.copy(reported.bundle_path, bundle)
    with pytest.raises(MienError, match="a Bundle does not say where its data is"):
        write_report(bundle)
    page = write_report(bundle, data=reported.record.data.paths)
    assert page.resolve() == tmp_path / "report-mine.html"  # not report-quick: its file's name
    text = page.read_text()
    assert f"mien report {bundle} --data PATH" in text
    assert 'id="training"' not in text
    assert "no float weights are in the same folder" in text
    assert 'id="robustness"' in text


def test_each_figure_is_written_as_svg_and_png(reported, text):
    folder = figures_folder(reported.report_path)
    assert folder == reported.path / "figures"
    drawn = {path.stem for path in folder.glob("*.svg")}
    assert drawn == {path.stem for path in folder.glob("*.png")}
    assert len(drawn) == text.count("<svg")
    for svg in folder.glob("*.svg"):
        ElementTree.parse(svg)
    for png in folder.glob("*.png"):
        assert cv2.imread(str(png)).shape[1] > 800


def test_the_numbers_of_all_sections_are_in_one_file(reported):
    numbers = json.loads((reported.path / "figures" / "report.json").read_text())
    assert set(numbers) >= {
        "model", "data", "split", "evaluation", "most_confused", "robustness", "importance",
        "sanity", "calibration", "face_gate", "history", "missing",
    }  # fmt: skip
    assert (numbers["model"], numbers["split"], numbers["missing"]) == ("quick", "val", [])
    assert numbers["history"] == reported.history()


def test_folders_of_several_reports_lie_side_by_side(tmp_path):
    assert figures_folder(tmp_path / "report.html").name == "figures"
    assert figures_folder(tmp_path / "report-test.html").name == "figures-test"
    assert figures_folder(tmp_path / "page.html").name == "figures-page"
