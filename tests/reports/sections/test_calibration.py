from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from mien.bundle.bundle import Bundle
from mien.bundle.export import update_metadata
from mien.bundle.metadata import FaceGate
from mien.evaluation import Evaluation
from mien.evaluation.calibration import calibrate
from mien.reports.pages import embed
from mien.reports.sections import SECTIONS

CalibrationSection = SECTIONS["calibration"]

# What Bundles of 0.1 do not have.
NEW_IN_CALIBRATION = {"mapped", "votes_share", "prior_share", "offset", "temperature"}


@pytest.fixture
def page(own_run, content):
    """The section for a Bundle with other metadata."""
    bundle = Bundle(own_run / "model.onnx")

    def make(**metadata):
        changed = update_metadata(bundle, bundle.metadata.model_copy(update=metadata))
        section = CalibrationSection(replace(content, bundle=changed))
        return str(section.render({name: embed(one) for name, one in section.figures().items()}))

    return make


def test_calibration_is_described_if_there_is_one(content, page, text):
    assert "The network is not calibrated" in text
    evaluation = content.evaluation
    assert f"Expected calibration error: {evaluation.calibration_error:.3f}" in text
    threshold = float(np.median(np.array(evaluation.probabilities).max(1)))
    found = calibrate(np.log(np.array(evaluation.probabilities)), np.array(evaluation.labels))
    calibrated = page(uncertain_below=threshold, calibration=found)
    assert "The network is not calibrated" not in calibrated
    assert f"the threshold of {found.uncertain_below:.2f}" in calibrated
    sure = np.array(evaluation.probabilities).max(1) >= threshold
    wrong = 1 - evaluation.right()[sure].mean()
    assert f"sure: {sure.mean():.0%} of faces, {wrong:.0%} wrong" in calibrated
    mixed = found.model_copy(update={"votes_share": 0.35, "prior_share": 0.25})
    said = "with a share of 0.35 for the votes; a share of 0.25"
    assert said in page(calibration=mixed)
    older = type(found).model_validate(mixed.model_dump(exclude=NEW_IN_CALIBRATION))
    assert said not in page(calibration=older)


def test_a_face_gate_is_described_if_there_is_one(page, text):
    assert "A face gate" not in text
    gate = FaceGate(
        weight=(0.0,), bias=0.0, faces=1234, non_faces=567, faces_open=0.98, non_faces_open=0.03
    )  # fmt: skip
    gated = page(face_gate=gate)
    assert "fitted on 1,234 faces and 567 drawings" in gated
    assert "open for 98% of other faces and 3% of other drawings" in gated


def test_its_files_hold_the_bins_and_the_risks(reported):
    evaluation = Evaluation.load(reported.evaluation_path("val"))
    with (reported.path / "figures" / "reliability.csv").open() as file:
        bins = list(csv.DictReader(file))
    assert sum(int(row["images"]) for row in bins) == evaluation.protocol.images
    gaps = [
        int(row["images"]) * abs(float(row["confidence"]) - float(row["accuracy"]))
        for row in bins
        if int(row["images"])
    ]
    assert sum(gaps) / evaluation.protocol.images == pytest.approx(evaluation.calibration_error)
    with (reported.path / "figures" / "risk-coverage.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["coverage"]) == 1
    assert float(last["risk"]) == pytest.approx(1 - evaluation.accuracy.value)
