"""Layouts from outside the package. tests/e2e installs a whole package of additions."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from mien.data import load_dataset
from mien.data.formats.base import FORMATS, Format, Source
from mien.data.rows import Rows


class NpzFormat(Format):
    """Images, labels and splits in one .npz file."""

    expects = "an .npz file with images, labels and splits"
    order = 10
    suffix = ".npz"

    def sniff(self, paths):
        (path, *others) = paths
        return Source(path.stem, (path,)) if path.suffix == ".npz" and not others else None

    def read(self, source, options):
        with np.load(source.files[0]) as arrays:
            numbers = np.arange(1, len(arrays["labels"]) + 1)
            ids = np.array([f"image {number}" for number in numbers])
            return Rows(arrays["images"], arrays["labels"], arrays["splits"], ids, numbers)

    def write(self, dataset, path):
        np.savez(path, images=dataset.images, labels=dataset.labels, splits=dataset.splits)


@pytest.fixture
def npz(monkeypatch) -> None:
    monkeypatch.setitem(FORMATS._registered, "npz", NpzFormat)


@pytest.mark.usefixtures("npz")
def test_another_layout_is_written_read_and_cleaned(mien, faces, layouts, tmp_path):
    new, cleaned = tmp_path / "new.npz", tmp_path / "cleaned.npz"
    split = mien("data", "split", layouts["csv"], "--out", new, "--layout", "npz")
    assert split.code == 0, split.err
    loaded = load_dataset(new)
    assert (loaded.layout, loaded.fingerprint) == ("npz", faces.fingerprint)
    assert mien("data", "clean", new, "--leaks", "keep", "--out", cleaned).code == 0
    assert load_dataset(cleaned).layout == "npz"
    assert (tmp_path / "cleaned.npz.manifest.csv").is_file()
    wrong = mien("data", "split", new, "--out", tmp_path / "c.npz", "--layout", "csv")
    assert wrong.code == 2
    assert "ends in .npz, but the layout is csv; choose another name, or --layout npz" in wrong.err


def test_a_plugin_that_cannot_be_imported_is_one_line_that_names_its_package(layouts, tmp_path):
    metadata = tmp_path / "mien_npz-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mien-npz\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[mien.formats]\nnpz = no_such_module:Npz\n")
    outcome = subprocess.run(
        [sys.executable, "-m", "mien", "data", "info", str(layouts["csv"])],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome.returncode == 2
    assert "layout 'npz' of the installed package mien-npz cannot be imported" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
