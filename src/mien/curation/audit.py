"""All checks on a data set, in order."""

from __future__ import annotations

from typing import Final

from mien.bundle.bundle import Bundle
from mien.curation.checks import labels
from mien.curation.checks.duplicates import check_duplicates, overlap_finding
from mien.curation.checks.images import find_bad_images
from mien.curation.checks.splits import check_splits
from mien.curation.findings import Audit, make_audit
from mien.data import FaceDataset
from mien.data.duplicates.groups import Mask, find_duplicates, find_overlap
from mien.data.duplicates.search import Progress

# What is looked for, and what to say where it was not found.
_CHECKS: Final = {
    "identical-across-splits": "no identical images across splits",
    "near-duplicates-across-splits": "no near duplicates across splits",
    "identical-within-splits": "no identical images within a split",
    "conflicting-labels": "no identical images with different labels",
    "blank": "no blank images",
    "near-constant": "no images of hardly any contrast",
    "bordered": "no images with a border",
    "unreadable": "every image could be read",
    "missing-class": "every split has all seven emotions",
    "imbalance": "no class has ten times the images of another",
    "labels-drawn-otherwise": "splits have alike shares of the classes",
    "light-differs": "splits are alike in intensity and contrast",
    "leaky-release": "not the FER-2013 release that shuffled all splits",
    "label-noise": "no labels that are doubted",
}

_BETWEEN_SPLITS: Final = {
    "identical-across-splits",
    "near-duplicates-across-splits",
    "labels-drawn-otherwise",
    "light-differs",
}


def audit_dataset(
    dataset: FaceDataset,
    *,
    bundle: Bundle | None = None,
    learnt: Mask | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Look for all that is known to go wrong with data sets of faces.

    Labels are held against FER+ votes where there are any, else against a reader: a Bundle if one
    is given, else a classifier fitted crosswise on the data itself.

    Args:
        dataset: any, loaded with ``skip_bad`` so that what cannot be used becomes a finding.
        bundle: that reads the faces for the sake of their labels, even where there are votes.
        learnt: which images the Bundle was trained on, where that is known. Shape: (N,).
        progress: is told how much of the search for duplicates is done, 0 to 1.
    """
    duplicates = find_duplicates(dataset.images, progress=progress)
    findings = check_duplicates(dataset, duplicates)
    findings += find_bad_images(dataset)
    of_splits, not_checked = check_splits(dataset)
    findings += of_splits
    findings += labels.check_votes(dataset)
    reading = None
    if bundle is not None or dataset.votes is None:
        reading = (
            labels.read_with_bundle(dataset, bundle, learnt)
            if bundle is not None
            else labels.read_crosswise(dataset, duplicates.groups)
        )
        if reading is None:
            not_checked.append(
                "labels: too few images, or of too few emotions, to doubt any"
                if bundle is None
                else f"labels: the Bundle {bundle.metadata.name} has learnt every image"
            )
        else:
            findings += labels.check_reading(dataset, reading)
    silent = {finding.check for finding in findings}
    if len(dataset.split_counts()) < 2:
        silent |= _BETWEEN_SPLITS
    if reading is None and dataset.votes is None:
        silent.add("label-noise")
    fine = [line for check, line in _CHECKS.items() if check not in silent]
    return make_audit(dataset, findings, fine=fine, not_checked=not_checked)


def audit_overlap(
    dataset: FaceDataset, other: FaceDataset, *, progress: Progress | None = None
) -> Audit:
    """Look for how much of a data set stands in another, identical or as near duplicates.

    Args:
        dataset: whose images are looked for: a test set, say.
        other: where they are looked for: what a network was trained on, say.
        progress: is told how much of the search for duplicates is done, 0 to 1.
    """
    overlap = find_overlap(dataset.images, other.images, progress=progress)
    finding = overlap_finding(dataset, overlap, other.name)
    fine = [] if finding else [f"no image of {dataset.name} is inside {other.name}"]
    return make_audit(dataset, [finding] if finding else [], fine=fine)
