"""Audit a data set: run every check on it, or find its images in another data set."""

from __future__ import annotations

from mien.bundle.bundle import Bundle
from mien.curation.checks.base import CHECKS, NotChecked, Subject
from mien.curation.findings import Audit, Figures, Finding, Item, make_audit, refer
from mien.curation.pairs import WHY_LEAKS_MATTER
from mien.data import FaceDataset
from mien.data.duplicates.groups import Overlap, find_duplicates, find_overlap
from mien.data.duplicates.search import Progress
from mien.evaluation.evaluate import refuse_other_task
from mien.types import Mask


def audit_dataset(
    dataset: FaceDataset,
    *,
    bundle: Bundle | None = None,
    trained_on: Mask | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Check a data set for all known defects of face data sets.

    Labels are compared with FER+ votes if there are any, else with the predictions of a classifier:
    the Bundle if one is given, else one fitted by cross-validation on the data set itself.

    Args:
        dataset: data set, loaded with ``skip_bad``, so that unusable images become a finding.
        bundle: Bundle that the labels are also compared with if there are votes.
        trained_on: mask of the images that the Bundle was trained on; None if unknown. Shape: (N,).
        progress: progress callback for the search for duplicates, called with the fraction done, 0
            to 1.

    Raises:
        DataError: if the Bundle reads other classes or other crops than the data set has.
    """
    if bundle is not None:
        refuse_other_task(bundle, dataset)
    duplicates = find_duplicates(dataset.images, exact_only=dataset.drawn, progress=progress)
    subject = Subject(dataset, duplicates, bundle, trained_on)
    findings: list[Finding] = []
    passed, not_checked = [], []
    if not subject.has_splits:
        not_checked.append("leaks and differences between splits: there is only one split")
    if dataset.drawn:
        not_checked.append("near duplicates: most drawn faces of a class would count as such")
    for kind in sorted(CHECKS.all().values(), key=lambda kind: kind.order):
        check = kind()
        if not check.applies(subject):
            continue
        try:
            found = check.find(subject)
        except NotChecked as reason:
            not_checked.append(str(reason))
            continue
        findings += found
        if check.passed and not found:
            passed.append(check.passed)
    return make_audit(dataset, findings, fine=passed, not_checked=not_checked)


def audit_overlap(
    dataset: FaceDataset, other: FaceDataset, *, progress: Progress | None = None
) -> Audit:
    """Check how much of a data set is inside another, as exact or near duplicates.

    Args:
        dataset: data set whose images are searched for, such as a test set.
        other: data set that is searched, such as a network's training data.
        progress: progress callback for the search for duplicates, called with the fraction done, 0
            to 1.
    """
    exact_only = dataset.drawn and other.drawn
    overlap = find_overlap(dataset.images, other.images, exact_only=exact_only, progress=progress)
    if overlap.any.any():
        return make_audit(dataset, [_inside_other(dataset, overlap, other.name)])
    return make_audit(dataset, [], fine=[f"no image of {dataset.name} is inside {other.name}"])


def _inside_other(dataset: FaceDataset, overlap: Overlap, other: str) -> Finding:
    exact, near = overlap.exact.nonzero()[0], overlap.near.nonzero()[0]
    count = len(exact) + len(near)
    figures: Figures = {
        "identical": len(exact),
        "near": len(near),
        "share": round(count / len(dataset), 4),
    }
    for split in dataset.split_counts():
        figures[f"{split}: any duplicate"] = int((overlap.any & (dataset.splits == split)).sum())
    kinds = ((exact, "identical"), (near, "near duplicate"))
    return Finding(
        check="inside-other",
        severity="serious",
        title=f"{count:,} of {len(dataset):,} images of {dataset.name} are inside {other}",
        count=count,
        why=WHY_LEAKS_MATTER,
        what_to_do=f"Do not measure a network trained on {other} on these images; measure it on "
        "the others.",
        figures=figures,
        items=tuple(
            Item(images=refer(dataset, [row]), note=note) for rows, note in kinds for row in rows
        ),
    )
