"""One report, written once: of the shared run, with its files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mien.reports.content import Content, gather
from mien.reports.report import write_report
from mien.runs.run import Run


@pytest.fixture(scope="session")
def reported(trained, tmp_path_factory) -> Run:
    """A run with its report and the files of the report."""
    path = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(trained.path, path)
    write_report(path, with_files=True)
    return Run(path)


@pytest.fixture(scope="session")
def text(reported) -> str:
    """The page of that report."""
    return reported.report_path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def content(reported) -> Content:
    """The content of that report."""
    return gather(reported, data=None, split="val")


@pytest.fixture
def own_run(reported, tmp_path) -> Path:
    """A copy of that run, to be changed."""
    shutil.copytree(reported.path, tmp_path / "run")
    return tmp_path / "run"
