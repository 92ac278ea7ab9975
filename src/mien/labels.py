"""The seven emotions of FER-2013: their order, their other names, their colours."""

from __future__ import annotations

from typing import Final

from mien.errors import DataError, nearest

# FER-2013's own numbering: the position is the label.
EMOTIONS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
NUM_CLASSES: Final = len(EMOTIONS)

# The shares of FER-2013's Training split (3,995, 436, 4,097, 7,215, 4,830, 3,171, 4,965 images).
FER2013_TRAIN_COUNTS: Final = (3995, 436, 4097, 7215, 4830, 3171, 4965)

# FER+ (Barsoum et al., 2016) counts ten votes an image, in this order; NF stands for "not a face".
FERPLUS_VOTES: Final = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)

# The position in FERPLUS_VOTES of the vote that means each emotion, in the labels' order.
VOTES_OF_EMOTIONS: Final = tuple(
    FERPLUS_VOTES.index(vote)
    for vote in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
)

# Paul Tol's "bright" qualitative scheme, told apart by colour-blind readers, in the labels' order.
COLOURS: Final = ("#EE6677", "#228833", "#AA3377", "#CCBB44", "#4477AA", "#66CCEE", "#999999")

_ALIASES: Final = {
    "anger": "angry",
    "disgusted": "disgust",
    "disgusting": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "happiness": "happy",
    "joy": "happy",
    "joyful": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "surprising": "surprise",
    "neutrality": "neutral",
    "calm": "neutral",
}


def parse_emotion(word: str) -> int:
    """Return the label, 0 to 6, that a name (``happy``, ``Happiness``) or a digit stands for.

    Raises:
        DataError: if the word names none of the seven emotions; the nearest name is offered.
    """
    name = word.strip().lower()
    if name.isdecimal() and int(name) < NUM_CLASSES:
        return int(name)
    name = _ALIASES.get(name, name)
    if name in EMOTIONS:
        return EMOTIONS.index(name)
    raise DataError(
        f"unknown emotion {word.strip()!r}{nearest(name, (*EMOTIONS, *_ALIASES))}, "
        f"expected 0 to {NUM_CLASSES - 1} or one of {', '.join(EMOTIONS)}"
    )
