"""Check for labels that a classifier doubts."""

from __future__ import annotations

from typing import Final

import numpy as np

from mien.curation.checks.base import CHECKS, Check, NotChecked, Subject
from mien.curation.findings import WHY_LABELS_MATTER, Finding, Item, refer
from mien.curation.label_reader import LabelReading, doubt, read_crosswise, read_with_bundle
from mien.data import FaceDataset

_SUREST: Final = 300  # labels that a person can look through; a weak classifier doubts thousands


@CHECKS.register("doubtful_labels")
class DoubtfulLabels(Check):
    """Labels that a Bundle, or a classifier fitted on the other images, reads as another class.

    Only without votes for the labels, which are better evidence, or if a Bundle is given.
    """

    order = 190
    passed = "no label is doubted by the classifier"

    def applies(self, subject: Subject) -> bool:
        """Return whether there is a Bundle, or there are no votes."""
        return subject.bundle is not None or not subject.has_votes

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all doubtful labels, the most doubtful first.

        Raises:
            NotChecked: if the Bundle was trained on every image, or there are too few images to fit
                a classifier.
        """
        dataset, bundle = subject.dataset, subject.bundle
        if bundle is not None:
            reading = read_with_bundle(dataset, bundle, subject.trained_on)
            reason = f"labels: the Bundle {bundle.metadata.name} was trained on every image"
        else:
            reading = read_crosswise(dataset, subject.duplicates.groups)
            reason = "labels: too few images, or of too few classes, to fit a classifier"
        if reading is None:
            raise NotChecked(reason)
        return find_doubts(dataset, reading)


def find_doubts(dataset: FaceDataset, reading: LabelReading) -> list[Finding]:
    """Return one finding about all labels that a classifier doubts, if there are any."""
    doubts = np.zeros(len(dataset))
    read = reading.read
    doubts[read] = doubt(dataset.labels[read], reading.probabilities[read])
    (rows,) = np.nonzero(doubts > 0)
    if len(rows) == 0:
        return []
    right = reading.probabilities[read].argmax(1) == dataset.labels[read]
    doubted = len(rows)
    rows = rows[np.argsort(-doubts[rows], kind="stable")][:_SUREST]
    surest = f", the {len(rows)} surest of which are listed" if len(rows) < doubted else ""
    predictions = reading.probabilities.argmax(1)
    return [
        Finding(
            check="doubtful-labels",
            severity="warning",
            title=f"{doubted:,} of {int(read.sum()):,} labels are doubted by {reading.reader}"
            f"{surest}",
            count=len(rows),
            why=WHY_LABELS_MATTER,
            what_to_do="Look at them in this order. The classifier is often wrong itself, so let "
            "people decide. Train with label smoothing, or leave the most doubtful out.",
            figures={
                "accuracy of the classifier": round(float(right.mean()), 4),
                "images that it read": int(read.sum()),
                "doubted": doubted,
            },
            items=tuple(
                Item(
                    images=refer(dataset, [row]),
                    note=f"read as {dataset.names[predictions[row]]} "
                    f"{reading.probabilities[row, predictions[row]]:.2f}, as labelled "
                    f"{reading.probabilities[row, dataset.labels[row]]:.2f}",
                )
                for row in rows
            ),
        )
    ]
