"""Check for labels that disagree with FER+'s votes."""

from __future__ import annotations

import numpy as np

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import WHY_LABELS_MATTER, Figures, Finding, Item, refer
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.votes import find_majorities, labels_of, measure_agreement, name_an_expression
from mien.types import Integers, Labels, Votes


@CHECKS.register("labels_against_votes")
class LabelsAgainstVotes(Check):
    """Labels that are not the expression with the most votes."""

    order = 180
    passed = "no label disagrees with the majority of votes"
    needs_votes = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all labels that disagree, the clearest majority first."""
        dataset = subject.dataset
        assert dataset.votes is not None
        agreement = measure_agreement(dataset.votes, dataset.labels)
        assert agreement is not None  # there are votes
        overall = agreement.overall
        if not overall.compared or overall.agreeing == overall.compared:
            return []
        names = np.array([*FERPLUS_VOTES, ""])[find_majorities(dataset.votes)]
        figures: Figures = {
            "compared": overall.compared,
            "agree": round(overall.agreeing / overall.compared, 4),
        }
        for name, one in agreement.by_label.items():
            if one.share is not None:
                figures[f"agree: {name}"] = round(one.share, 4)
        count = overall.compared - overall.agreeing
        return [
            Finding(
                check="label-noise",
                severity="warning",
                title=f"{count:,} of {overall.compared:,} labels disagree with the majority of ten "
                "voters",
                count=count,
                why=WHY_LABELS_MATTER,
                what_to_do="Train on the votes, or judge by images whose votes agree.",
                figures=figures,
                items=tuple(
                    Item(
                        images=refer(dataset, [row]),
                        note=f"{dataset.votes[row].max()} of {dataset.votes[row].sum()} voted "
                        f"{names[row]}",
                    )
                    for row in _disagreeing(dataset.votes, dataset.labels)
                ),
            )
        ]


def _disagreeing(votes: Votes, labels: Labels) -> Integers:
    """Return images whose majority is another expression than the label, the clearest first."""
    majorities = find_majorities(votes)
    (rows,) = np.nonzero(name_an_expression(majorities) & (labels_of(majorities) != labels))
    share = votes.max(1) / np.maximum(votes.sum(1, dtype=np.int64), 1)
    return rows[np.argsort(-share[rows], kind="stable")]
