"""A run to ``report.html``: one file that opens anywhere, offline, in light and dark."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from markupsafe import Markup

from mien.data import FaceDataset, load_dataset
from mien.emotions import EMOTIONS
from mien.errors import MienError
from mien.evaluation import Evaluation
from mien.evaluation.evaluate import Score
from mien.files import write_text
from mien.reports import figures
from mien.reports.pages import environment
from mien.runtime.bundle import Bundle
from mien.training.run import Run

_SAMPLES: Final = 24
_SAMPLE_SEED: Final = 0


@dataclass(frozen=True)
class Sample:
    """One face of the report's sample: what it is labelled and what was read."""

    png: str
    label: str
    emotion: str
    probability: float

    @property
    def right(self) -> bool:
        """Whether label and reading agree."""
        return self.label == self.emotion


def write_report(run: Run, *, dataset: FaceDataset | None = None) -> Path:
    """Write a run's report from its directory and return the file's path.

    Args:
        run: with an evaluation on val.
        dataset: what it was trained on, for the sample of faces; by default it is loaded from
            where it was. Where it is no longer there, the report says so instead.

    Raises:
        RunError: if the run has no evaluation, or is damaged.
        BundleError: if its Bundle is missing or damaged.
    """
    evaluation = Evaluation.load(run.evaluation_path("val"))
    if dataset is None:
        dataset = _find_data(run)
    history = run.history()
    kept = Bundle(run.bundle_path).metadata.epoch
    page = (
        environment()
        .get_template("report.html")
        .render(
            run=run,
            recipe=run.recipe,
            record=run.record,
            evaluation=evaluation,
            scores=_scores(evaluation),
            loss_curve=Markup(figures.draw_curve(history, "loss", kept)),
            accuracy_curve=Markup(figures.draw_curve(history, "accuracy", kept)),
            confusion=Markup(figures.draw_confusion(evaluation)),
            class_counts=_class_counts(dataset),
            samples=_samples(dataset, evaluation),
            seconds=sum(row["seconds"] for row in history),
            history=history,
            command=_command(run),
        )
    )
    write_text(run.report_path, page)
    return run.report_path


def _scores(evaluation: Evaluation) -> list[tuple[str, str, Score]]:
    return [
        ("Accuracy", "share of faces read as labelled", evaluation.accuracy),
        ("Macro F1", "mean over emotions, rare ones count the same", evaluation.macro_f1),
        ("Weighted F1", "mean over faces", evaluation.weighted_f1),
        ("ROC-AUC", "how well each emotion is ranked above the rest", evaluation.roc_auc),
    ]


def _find_data(run: Run) -> FaceDataset | None:
    try:
        dataset = load_dataset(
            *run.record.data.paths,
            **run.recipe.data.model_dump(),
            skip_bad=run.record.data.skip_bad,
        )
    except MienError:
        return None
    return dataset if dataset.fingerprint == run.record.data.fingerprint else None


def _class_counts(dataset: FaceDataset | None) -> Markup | None:
    if dataset is None:
        return None
    counts = {split: dataset.split(split).class_counts() for split in dataset.split_counts()}
    return Markup(figures.draw_class_counts(counts))


def _samples(dataset: FaceDataset | None, evaluation: Evaluation) -> list[Sample]:
    """Draw faces of the measured split by chance, so that they show the score as it is."""
    if dataset is None:
        return []
    faces = dataset.split(evaluation.protocol.split)
    generator = np.random.default_rng(_SAMPLE_SEED)
    rows = generator.permutation(len(faces))[:_SAMPLES]
    samples = []
    for row in rows.tolist():
        probabilities = evaluation.probabilities[row]
        read = int(np.argmax(probabilities))
        samples.append(
            Sample(
                png=_png(faces.images[row]),
                label=EMOTIONS[evaluation.labels[row]],
                emotion=EMOTIONS[read],
                probability=probabilities[read],
            )
        )
    return samples


def _png(image: Any) -> str:
    return base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode("ascii")


def _command(run: Run) -> str:
    words = ["mien", "train", str(run.path / "recipe.toml")]
    for path in run.record.data.paths:
        words += ["--data", path]
    words += ["--skip-bad"] if run.record.data.skip_bad else []
    return shlex.join([*words, "--out", f"{run.path}-again"])
