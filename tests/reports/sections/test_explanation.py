from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from mien.reports.figures.overlay import LEAST_DROP
from mien.reports.sections import SECTIONS

ExplanationSection = SECTIONS["explanation"]


def test_its_numbers_stand_in_the_page(reported, text):
    numbers = json.loads((reported.path / "figures" / "report.json").read_text())
    assert f"weights is {numbers['sanity']['correlation']:.2f} (Spearman" in text
    assert len(numbers["importance"]) > 4
    for one in numbers["importance"]:
        words = f"eyes {round(100 * one['eyes'])}, mouth {round(100 * one['mouth'])}"
        assert f"mean face labelled {one['emotion']}, under its occlusion map: {words}" in text


def test_maps_that_do_not_depend_on_the_weights_are_marked(content):
    failed = content.explanation.sanity.model_copy(update={"passed": False, "correlation": 0.8})
    explanation = replace(content.explanation, sanity=failed)
    page = str(ExplanationSection(replace(content, explanation=explanation)).render({}))
    assert "Sanity check: not passed" in page
    assert "do not rely on them" in page


def test_all_emotions_share_one_scale(content):
    section = ExplanationSection(content)
    drops = [one.map.max() for one in content.explanation.importances]
    assert section.scale == max(LEAST_DROP, max(drops))
    weak = [replace(one, map=np.full_like(one.map, 0.01)) for one in section.overview.importances]
    pale = ExplanationSection(
        replace(content, explanation=replace(content.explanation, importances=tuple(weak)))
    )
    assert pale.scale == LEAST_DROP
