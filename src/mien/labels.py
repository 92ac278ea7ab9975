"""The seven emotions: their names, order, aliases and colours, and how to parse a name."""

from __future__ import annotations

from typing import Final

from mien.errors import DataError, nearest

# In FER-2013's numbering: the position is the label.
EMOTIONS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
NUM_CLASSES: Final = len(EMOTIONS)

# Paul Tol's "bright" qualitative scheme, safe for colour-blind readers, in the order of EMOTIONS.
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
    """Return the label, 0 to 6, of an emotion given by name (``happy``, ``Happiness``) or digit.

    Raises:
        DataError: if the word names none of the seven emotions; the message suggests the nearest
            name.
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
