"""What a score can be held against: people, and other models.

Only scores on the very same images compare; those on another split of FER-2013 say where the field
stands, no more.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.evaluation import Evaluation

_FER2013_HELD_OUT: Final = 3_589  # images in PublicTest, and as many in PrivateTest

PEOPLE: Final = "0.65 ± 0.05"  # Goodfellow et al., Challenges in Representation Learning, 2013


class Known(NamedTuple):
    """An accuracy that somebody reached: ``theirs`` for what did not come out of mien."""

    model: str
    accuracy: float
    note: str
    theirs: bool


class Context(NamedTuple):
    """Scores to compare with; ``split`` is where theirs were measured, ``same`` if it is this."""

    scores: tuple[Known, ...]
    split: str
    same: bool


# On FER-2013's PrivateTest. The first four are open weights, measured with a single view; the
# others are what their authors' own code gives.
_PUBLISHED: Final = (
    Known("face-api.js", 0.588, "open weights", theirs=True),
    Known("mini-Xception", 0.654, "open weights", theirs=True),
    Known("big Xception", 0.668, "open weights", theirs=True),
    Known("the best open weights found", 0.693, "open weights", theirs=True),
    Known("the best from scratch", 0.727, "training code, no weights", theirs=True),
    Known("the best with ImageNet weights", 0.741, "143 M parameters, ten views", theirs=True),
)


def known_scores(evaluation: Evaluation) -> Context | None:
    """Return what others score, on these images where that is known; None for other data."""
    protocol = evaluation.protocol
    if protocol.images != _FER2013_HELD_OUT or protocol.split not in ("val", "test"):
        return None
    ours = tuple(
        Known(f"mien's {name}", score["accuracy"]["value"], "comes with mien", theirs=False)
        for name, path in shipped_bundles().items()
        for score in Bundle(path).metadata.scores
        if name != protocol.model
        and score["protocol"]["fingerprint"] == protocol.fingerprint
        and score["protocol"]["split"] == protocol.split
    )
    return Context(
        scores=(*ours, *_PUBLISHED), split="test (PrivateTest)", same=protocol.split == "test"
    )
