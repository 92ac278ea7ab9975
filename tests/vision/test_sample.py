from __future__ import annotations

import json

import mien as package
from mien.bundle.bundle import shipped_bundles
from mien.vision.sample import sample_photo


def test_the_people_of_the_sample_photo_are_found_and_read():
    for model in shipped_bundles():
        serious, smiling = package.Reader(model, detector="haar").read(package.sample_photo())
        assert smiling.emotion == "happy"
        assert not smiling.uncertain
        assert serious.emotion == "neutral" or serious.uncertain


def test_the_sample_photo_comes_with_its_licence():
    text = sample_photo().with_name("README.md").read_text()
    assert sample_photo().name in text
    assert "public domain" in text


def test_predict_reads_the_sample_photo(mien):
    outcome = mien("predict", "--sample", "--json")
    assert (outcome.code, len(json.loads(outcome.out))) == (0, 2)


def test_predict_needs_a_source(mien):
    outcome = mien("predict")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "mien predict --sample" in outcome.err
    outcome = mien("predict", "photo.jpg", "--sample")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "leave out the other names" in outcome.err
