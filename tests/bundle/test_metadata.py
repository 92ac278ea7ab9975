"""Bundle metadata: as properties and back, and those that mien 0.1 wrote."""

from __future__ import annotations

import json

import pytest

from mien.bundle.bundle import Bundle
from mien.bundle.metadata import BundleMetadata
from mien.images.crop import DEFAULT_CROP
from mien.labels import FER2013

SCORE = {"value": 0.5, "low": 0.4, "high": 0.6}
PROTOCOL = {
    "model": "old", "data": "fer2013", "fingerprint": "f", "split": "val", "images": 2,
    "split_rule": "as the files say",
}  # fmt: skip


def properties(**changes):
    """Return the properties of a Bundle of mien 0.1."""
    score = {
        "protocol": {**PROTOCOL, "views": "single"},
        **dict.fromkeys(("accuracy", "macro_f1", "weighted_f1", "roc_auc"), SCORE),
        "per_class": [],
        "confusion": [[1, 0], [0, 1]],
        "log_loss": 0.25,
    }
    fields = {
        "mien_format": 1,
        "name": "old",
        "parameters": 3,
        "calibration": {},
        "face_gate": {},
        "recipe": {"name": "old", "data": {"hold_out": 0.1, "keep_twins_together": True}},
        "data": {"name": "fer2013", "fingerprint": "f", "chosen_by": ""},
        "scores": [score, {**score, "protocol": {**PROTOCOL, "views": "flip"}}],
        "mien_version": "0.1.0",
    }
    return {name: json.dumps(value) for name, value in (fields | changes).items()}


def test_metadata_of_mien_0_1_are_translated():
    metadata = BundleMetadata.from_properties(properties())
    assert metadata.calibration is metadata.face_gate is None
    assert metadata.recipe["data"] == {"validation_share": 0.1, "keep_duplicates_together": True}
    assert [score.protocol.tta for score in metadata.scores] == ["none", "flip"]
    assert metadata.data.fingerprint == "f"
    assert metadata.labels == FER2013.names
    assert metadata.crop.spec == DEFAULT_CROP


def test_metadata_come_back_as_they_were_written(run):
    metadata = Bundle(run.bundle_path).metadata
    assert BundleMetadata.from_properties(metadata.as_properties()) == metadata
    old = BundleMetadata.from_properties(properties())
    again = BundleMetadata.from_properties(old.as_properties())
    assert again == old
    assert again.scores[0].model_dump()["log_loss"] == 0.25  # what is not typed is kept as well


@pytest.mark.parametrize(
    "changes",
    [{"scores": [{}]}, {"scores": 3}, {"recipe": 5}, {"recipe": {"data": 5}}, {"recipe": None}],
)
def test_damaged_metadata_of_format_1_are_refused(changes):
    with pytest.raises(ValueError, match="damaged metadata of format 1"):
        BundleMetadata.from_properties(properties(**changes))


def test_properties_of_other_programs_are_left_alone():
    assert BundleMetadata.from_properties({**properties(), "author": "no JSON"}).name == "old"


@pytest.mark.parametrize(
    "changes", [{"mien_format": 3}, {"parameters": "many"}, {"scores": [{"protocol": {}}]}]
)
def test_other_metadata_are_refused(changes):
    with pytest.raises(ValueError, match="validation error"):
        BundleMetadata.from_properties(properties(**changes))
