"""The figures of a report as SVG and PNG, and its numbers as JSON and CSV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mien.evaluation import Evaluation, metrics
from mien.evaluation.calibration import risk_coverage
from mien.evaluation.robustness import Robustness
from mien.io.files import write_bytes, write_text
from mien.labels import EMOTIONS
from mien.reports.pages import to_csv
from mien.reports.report_content import MOST_CONFUSED, Content
from mien.reports.svg import as_file, to_picture


def write_files(
    content: Content, drawn: dict[str, Figure], svgs: dict[str, str], folder: Path
) -> None:
    """Write every figure and every number of a report into a folder.

    Args:
        content: of the report.
        drawn: its figures, by name.
        svgs: the same as the page has them.
        folder: is made where it is missing; files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in drawn.items():
        write_text(folder / f"{name}.svg", as_file(svgs[name]))
        write_bytes(folder / f"{name}.png", to_picture(figure))
    write_text(folder / "report.json", json.dumps(numbers(content), indent=2) + "\n")
    tables: dict[str, list[dict[str, Any]]] = {"history": list(content.history)}
    if content.evaluation:
        tables |= _score_tables(content.evaluation)
    if content.robustness:
        tables["robustness"] = _robustness_table(content.robustness)
    for name, rows in tables.items():
        if rows:
            write_text(folder / f"{name}.csv", to_csv(rows))


def numbers(content: Content) -> dict[str, Any]:
    """Return all that a report says in numbers, as plain data."""
    about, evaluation = content.bundle and content.bundle.metadata, content.evaluation
    explained = content.explanation
    pairs = evaluation.most_confused(MOST_CONFUSED) if evaluation else []
    return {
        "model": content.name,
        "data": content.data,
        "split": content.split,
        "evaluation": evaluation.summary() if evaluation else None,
        "most_confused": [pair.model_dump() for pair in pairs],
        "robustness": content.robustness.model_dump() if content.robustness else None,
        "importance": [
            {"emotion": one.emotion, "eyes": one.eyes, "mouth": one.mouth}
            for one in (explained.importances if explained else ())
        ],
        "sanity": explained.sanity.model_dump() if explained and explained.sanity else None,
        "calibration": about.calibration if about else None,
        "face_gate": about.face_gate if about else None,
        "history": list(content.history),
        "missing": list(content.missing),
    }


def _score_tables(evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
    labels, probabilities = np.array(evaluation.labels), np.array(evaluation.probabilities)
    bins = metrics.reliability(labels, probabilities)
    thresholds, coverage, risk = risk_coverage(probabilities, labels)
    areas = evaluation.areas
    return {
        "confusion": [
            {"label": emotion, **dict(zip(EMOTIONS, row, strict=True))}
            for emotion, row in zip(EMOTIONS, evaluation.confusion, strict=True)
        ],
        "classes": [
            {**row.model_dump(), "average_precision": areas.precision[row.emotion]}
            for row in evaluation.per_class
        ],
        "reliability": [
            {"bin": index, "images": int(images), "confidence": confidence, "accuracy": accuracy}
            for index, (images, confidence, accuracy) in enumerate(
                zip(bins.images, bins.confidence, bins.accuracy, strict=True)
            )
        ],
        "risk-coverage": [
            {"threshold": threshold, "coverage": share, "risk": wrong}
            for threshold, share, wrong in zip(thresholds, coverage, risk, strict=True)
        ],
    }


def _robustness_table(robustness: Robustness) -> list[dict[str, Any]]:
    return [
        {"change": change, "strength": strength, "amount": amount, "accuracy": accuracy}
        for change, values in robustness.accuracy.items()
        for strength, (amount, accuracy) in enumerate(
            zip(robustness.amounts[change], values, strict=True), start=1
        )
    ]
