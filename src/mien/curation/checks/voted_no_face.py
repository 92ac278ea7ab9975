"""Check for images that FER+'s voters called not a face."""

from __future__ import annotations

import numpy as np

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding, Item, count_of, refer
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.votes import find_majorities


@CHECKS.register("voted_no_face")
class VotedNoFace(Check):
    """Images with a majority of votes for "not a face"."""

    order = 170
    needs_votes = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all images with that majority."""
        dataset = subject.dataset
        assert dataset.votes is not None
        (rows,) = np.nonzero(find_majorities(dataset.votes) == FERPLUS_VOTES.index("NF"))
        if len(rows) == 0:
            return []
        return [
            Finding(
                check="voted-no-face",
                severity="warning",
                title=f"{count_of(rows, 'image was', 'images were')} voted not a face",
                count=len(rows),
                why="A network can learn no expression from them, and no answer about them is "
                "right.",
                what_to_do="Look at them and drop them.",
                items=tuple(Item(images=refer(dataset, [row])) for row in rows),
            )
        ]
