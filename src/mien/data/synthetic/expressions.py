"""The expressions of drawn faces: those of emotions, and others for classes of any name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from mien.errors import DataError
from mien.labels import BUILT_IN, LabelSet
from mien.types import Floats


@dataclass(frozen=True)
class Expression:
    """Movements of a face, 0 at rest; 1 is a strong movement of people in the named direction."""

    inner_brow_up: float = 0.0
    outer_brow_up: float = 0.0
    eyes_open: float = 0.0
    nose_wrinkle: float = 0.0
    mouth_corners_up: float = 0.0
    mouth_open: float = 0.0
    mouth_wide: float = 0.0
    upper_lip_up: float = 0.0

    def at(self, strength: float, noise: Sequence[float]) -> Expression:
        """Return this expression with its movements scaled, and noise added to each."""
        moved = zip(vars(self).items(), noise, strict=True)
        return Expression(**{name: strength * value + off for (name, value), off in moved})


@dataclass(frozen=True)
class Look:
    """The look of the faces of one class.

    Args:
        ways: expressions, one of which each face shows.
        weakest: strength of the weakest expression; strengths are drawn from it up to 1.
    """

    ways: tuple[Expression, ...]
    weakest: float = 0.3


# Two variants of an expression that people commonly show in two ways.
# Source: the action units of each emotion in Ekman and Friesen, Facial Action Coding System, 1978;
# deviation: contempt, which raises one corner of the mouth, is drawn on both sides.
_EMOTIONS: Final = {
    "angry": (
        Expression(-1.0, -0.1, -0.3, 0.2, -0.5, -0.1, -0.3),
        Expression(-1.0, 0.1, 0.4, 0.3, -0.3, 0.6, 0.3, 0.3),
    ),
    "disgust": (Expression(-0.6, -0.3, -0.7, 1.0, -0.4, 0.2, -0.1, 0.9),),
    "fear": (Expression(1.0, 0.5, 1.0, 0.0, -0.4, 0.45, 0.6),),
    "happy": (
        Expression(0.0, 0.1, -0.4, 0.0, 1.0, 0.5, 0.8, 0.2),
        Expression(0.0, 0.0, -0.2, 0.0, 1.0, 0.0, 0.6),
    ),
    "sad": (Expression(0.9, -0.5, -0.5, 0.0, -0.9, 0.0, -0.2),),
    "surprise": (Expression(0.9, 1.0, 1.0, 0.0, 0.0, 1.0, -0.5),),
    "neutral": (Expression(),),
    "contempt": (Expression(-0.3, 0.9, -1.0, 0.0, 0.5, 0.0, -0.7),),
}
_NAMED: Final = BUILT_IN["ferplus"]  # knows the spellings of all of them, and no numbers

# Expressions of other classes: every combination of brows, eyes and a mouth, each of which is clear
# in small crops too. Brows are (inner, outer), mouths (corners, open, wide, upper lip).
_BROWS: Final = ((1.3, 1.1), (-1.4, 0.7))
_EYES: Final = (1.3, -1.2)
_MOUTHS: Final = (
    (1.6, 1.1, 1.0, 0.3),  # laughs
    (-0.3, 2.0, -0.9, 0.0),  # is round
    (-1.8, 0.0, 0.6, 0.0),  # turns down
    (0.0, 0.0, -2.2, 0.0),  # is pursed
    (0.0, 0.7, 1.5, 1.2),  # shows teeth
)
_WEAKEST: Final = 0.9
# How much each movement changes a picture: mouths most.
_WEIGHTS: Final = np.array([1.0, 1.0, 1.0, 0.5, 1.5, 1.5, 1.5, 0.5])


def choose_looks(label_set: LabelSet) -> tuple[Look, ...]:
    """Return the look of each class: emotions look as they do, each other class like no other.

    The looks of other classes depend on their number and order, not on their names: in turn, each
    is the combination of movements that is farthest from those of all classes before it, and of
    all emotions in the set.

    Raises:
        DataError: if there are more other classes than combinations.
    """
    known = [_NAMED.find(name) for name in label_set.names]
    looks = [None if label is None else Look(_EMOTIONS[_NAMED.names[label]]) for label in known]
    others = looks.count(None)
    combinations = _combinations()
    if others > len(combinations):
        raise DataError(
            f"{others} classes that are no emotions, expected at most {len(combinations)}: drawn "
            "faces have no more expressions that can be told apart"
        )
    taken = [_point(way) for look in looks if look for way in look.ways]
    for position, look in enumerate(looks):
        if look is None:
            way = max(combinations, key=lambda one: _distance(one, taken))
            combinations.remove(way)
            taken.append(_point(way))
            looks[position] = Look((way,), _WEAKEST)
    return tuple(look for look in looks if look is not None)


def _combinations() -> list[Expression]:
    return [
        Expression(inner, outer, eyes, 0.0, corners, opened, wide, lip)
        for (corners, opened, wide, lip), eyes, (inner, outer) in product(_MOUTHS, _EYES, _BROWS)
    ]


def _point(way: Expression) -> Floats:
    return np.asarray(np.array(list(vars(way).values())) * _WEIGHTS, np.float64)


def _distance(way: Expression, taken: list[Floats]) -> float:
    """Return the distance to the nearest expression that is taken."""
    return min((float(np.linalg.norm(_point(way) - one)) for one in taken), default=0.0)
