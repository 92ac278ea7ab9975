from __future__ import annotations

import hashlib
from dataclasses import replace

from mien.bundle.bundle import Bundle, find_bundle
from mien.reports.sections import SECTIONS

ReproduceSection = SECTIONS["reproduce"]


def test_a_run_is_reproduced_from_its_recipe_and_data(content, reported):
    section = ReproduceSection(content)
    path = reported.record.data.paths[0]
    assert section.command == (
        f"mien train {reported.path}/recipe.toml --data {path} --out {reported.path}-again"
    )
    digest = hashlib.sha256(reported.bundle_path.read_bytes()).hexdigest()
    assert section.facts["Bundle"] == f"model.onnx, SHA-256 {digest}"
    assert section.facts["Training data"] == section.facts["Evaluated data"]
    assert "[train]" in section.recipe


def test_a_shipped_bundle_is_named_as_on_the_command_line(content):
    shipped = replace(content, run=None, bundle=Bundle(find_bundle("mien-xs")))
    section = ReproduceSection(shipped)
    assert section.command == "mien report mien-xs --data PATH --split val"
    assert "Seed" not in section.facts
    assert section.facts["mien"] == shipped.bundle.metadata.mien_version
