"""Label sets: the classes of a data set, with their order, spellings, numbering and colours.

This module alone spells the names of emotions; everything else takes the names from its data or its
Bundle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from mien.errors import DataError, nearest

AUTO: Final = "auto"

# Spellings of one emotion, in lower case; the first one is the name that built-in sets use.
_SPELLINGS: Final = (
    ("angry", "anger"),
    ("disgust", "disgusted", "disgusting"),
    ("fear", "fearful", "afraid", "scared"),
    ("happy", "happiness", "joy", "joyful"),
    ("sad", "sadness"),
    ("surprise", "surprised", "surprising"),
    ("neutral", "neutrality", "calm"),
    ("contempt", "contemptuous"),
)
_SPELLED_ALIKE: Final = {word: group for group in _SPELLINGS for word in group}

# Paul Tol's "bright" qualitative scheme, safe for colour-blind readers.
_COLOURS_OF_EMOTIONS: Final = {
    "angry": "#EE6677",
    "disgust": "#228833",
    "fear": "#AA3377",
    "happy": "#CCBB44",
    "sad": "#4477AA",
    "surprise": "#66CCEE",
    "neutral": "#999999",
    "contempt": "#EE7733",
}
# That scheme, then his "muted" one, for classes that are not emotions.
_COLOURS: Final = (
    "#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#EE7733", "#332288",
    "#44AA99", "#882255", "#999933", "#88CCEE", "#CC6677", "#117733", "#DDCC77", "#999999",
)  # fmt: skip

_DIGITS: Final = re.compile(r"(\d+)")
_INTEGER: Final = re.compile(r"[+-]?\d{1,6}")
_IN_ORDER: Final = (-1,)  # marks a numbering that is left to the order of the names
_LONGEST_NAME: Final = 60  # characters
_SHOWN: Final = 40  # characters of an unknown word that errors show


@dataclass(frozen=True)
class LabelSet:
    """The classes of a data set in order: a label is a position in ``names``.

    Sets are equal if they have the same names in the same order.

    Args:
        names: names of the classes.
        title: name of the set, such as ``fer2013``.
        aliases: other spellings that files use, each with the name that it stands for. Common
            spellings of emotions (``happiness`` for ``happy``) need none.
        numbering: number of each class in files that number them, in the order of ``names``; by
            default 0, 1, 2 and so on, or the names themselves if they are numbers. An empty tuple
            refuses numbers.
        colours: colour of each class as ``#RRGGBB``; by default colours that colour-blind readers
            can tell apart.

    Raises:
        DataError: if there are fewer than two classes, two of one name, or the numbering leaves a
            number out.
    """

    names: tuple[str, ...]
    title: str = field(default="own", compare=False)
    aliases: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    numbering: tuple[int, ...] = field(default=_IN_ORDER, compare=False, repr=False)
    colours: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.names, str):
            raise DataError(f"labels = {self.names!r}: expected a list of names")
        names = tuple(str(name).strip() for name in self.names)
        _check_names(names)
        in_order = self.numbering is _IN_ORDER
        numbering = _numbers_of(names) if in_order else tuple(self.numbering)
        _check_numbering(numbering, names)
        aliases = {_folded(word): str(name).strip() for word, name in self.aliases.items()}
        for word, name in aliases.items():
            if name not in names:
                raise DataError(
                    f"labels: the alias {word!r} stands for {name!r}{nearest(name, names)}, which "
                    f"is none of the labels {', '.join(names)}"
                )
            if word in map(_folded, names) and word != _folded(name):
                raise DataError(
                    f"labels: {word!r} is a label, so it cannot be another spelling of {name!r}"
                )
        colours = tuple(self.colours) or _colours_of(names)
        if len(colours) != len(names):
            raise DataError(
                f"labels: {len(colours)} colours for {len(names)} labels, expected one for each"
            )
        for name, value in (
            ("names", names),
            ("numbering", numbering),
            ("aliases", aliases),
            ("colours", colours),
        ):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def noun(self) -> str:
        """The word for one of the labels: ``emotion`` if all are emotions, else ``class``."""
        known = all(_folded(name) in _SPELLED_ALIKE for name in self.names)
        return "emotion" if known else "class"

    def parse(self, word: str) -> int:
        """Return the label of a class that files give by name, by another spelling or by number.

        Raises:
            DataError: if the word names none of the classes; the message suggests the nearest name.
        """
        position = self.find(word)
        if position is None:
            shown = word.strip()[:_SHOWN]
            raise DataError(
                f"unknown label {shown!r}{nearest(_folded(shown), self._positions)}, expected "
                f"{self.expected()}"
            )
        return position

    def find(self, word: str) -> int | None:
        """Return the label of a class by name, spelling or number; None if there is none."""
        position = self._positions.get(_folded(word))
        if position is None and _INTEGER.fullmatch(word.strip()):
            number = int(word.strip())  # which int alone does not do for every white space
            if number in self.numbering:
                position = self.numbering.index(number)
        return position

    def expected(self) -> str:
        """Return the words that the set knows, for errors: ``0 to 6 or one of angry, …``."""
        numbers = f"{min(self.numbering)} to {max(self.numbering)} or " if self.numbering else ""
        return f"{numbers}one of {', '.join(self.names)}"

    @cached_property
    def _positions(self) -> dict[str, int]:
        """The label of each word that is known, in lower case."""
        known = {_folded(name): label for label, name in enumerate(self.names)}
        for folded, label in list(known.items()):
            for word in _SPELLED_ALIKE.get(folded, ()):
                known.setdefault(word, label)
        return known | {word: self.names.index(name) for word, name in self.aliases.items()}


def parse_label_set(value: Any) -> LabelSet | None:
    """Return the label set that a setting describes; None if the files decide (``auto``, None).

    Args:
        value: name of a built-in set, such as ``rafdb``; ``auto``; names as a list or separated by
            commas; a table with ``names`` and, optionally, ``aliases`` (spelling to name) and
            ``numbering`` (number to name); a LabelSet; or None.

    Raises:
        DataError: if it is anything else, or `LabelSet` refuses it.
    """
    if value is None or isinstance(value, LabelSet):
        return value
    if isinstance(value, str):
        word = value.strip()
        if word.lower() == AUTO:
            return None
        if word.lower() in BUILT_IN:
            return BUILT_IN[word.lower()]
        if "," in word:  # brackets come from a list whose quotes a shell has taken
            return LabelSet(tuple(part.strip(" '\"") for part in word.strip("[]").split(",")))
        raise DataError(
            f"labels = {word!r}: no label set is called that{nearest(word, (*BUILT_IN, AUTO))}; "
            f"there are {', '.join(BUILT_IN)} and {AUTO}, or give the names: negative,positive"
        )
    if isinstance(value, Mapping):
        return _from_table(value)
    if isinstance(value, Sequence):
        return LabelSet(tuple(map(str, value)))
    raise DataError(f"labels = {value!r}: expected the name of a label set, a list or a table")


def named_labels(names: Sequence[str]) -> LabelSet:
    """Return the label set with these names: the built-in one if there is one, else a new one."""
    same = (known for known in BUILT_IN.values() if known.names == tuple(names))
    return next(same, None) or LabelSet(tuple(names))


def found_labels(words: Iterable[str]) -> LabelSet:
    """Return the label set of the class names that files use, in natural order.

    Words that differ in case alone, or are spellings of one emotion, are one class.

    Raises:
        DataError: if there are fewer than two classes.
    """
    found: dict[str, str] = {}
    for word in sorted({word.strip() for word in words} - {""}, key=lambda w: (_natural(w), w)):
        folded = _folded(word)
        found.setdefault(_SPELLED_ALIKE.get(folded, (folded,))[0], word)
    names = tuple(found.values())
    numbered = any(map(_INTEGER.fullmatch, names))
    return LabelSet(names, title=AUTO, numbering=_numbers_of(names) if numbered else ())


def _from_table(table: Mapping[str, Any]) -> LabelSet:
    known = ("names", "aliases", "numbering")
    for key in table:
        if key not in known:
            raise DataError(
                f"labels.{key}: no such key{nearest(str(key), known)}, expected {', '.join(known)}"
            )
    numbers, aliases = table.get("numbering"), table.get("aliases") or {}
    names = table.get("names") or (numbers and list(numbers.values())) or ()
    if isinstance(names, str):
        names = names.split(",")
    names = tuple(str(name).strip() for name in names)
    if not isinstance(aliases, Mapping):
        raise DataError(
            f"labels.aliases = {aliases!r}: expected a table of spellings, such as "
            '{bad = "negative"}'
        )
    if numbers is None:
        return LabelSet(names, aliases=aliases)
    return LabelSet(names, aliases=aliases, numbering=_parse_numbering(numbers, names))


def _parse_numbering(numbers: Any, names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the number of each name from a table of number to name."""
    if not isinstance(numbers, Mapping):
        raise DataError(
            f"labels.numbering = {numbers!r}: expected a table of numbers, such as "
            '{1 = "negative", 2 = "positive"}'
        )
    by_name: dict[str, int] = {}
    for number, name in numbers.items():
        if not _INTEGER.fullmatch(str(number)):
            raise DataError(f"labels.numbering: {number!r} is not a whole number")
        if str(name) not in names:
            raise DataError(
                f"labels.numbering: {number} stands for {name!r}{nearest(str(name), names)}, which "
                f"is none of the labels {', '.join(names)}"
            )
        if str(name) in by_name:
            raise DataError(f"labels.numbering: {name!r} has two numbers, expected one for each")
        by_name[str(name)] = int(number)
    if missing := [name for name in names if name not in by_name]:
        raise DataError(f"labels.numbering: {missing[0]!r} has no number, expected one for each")
    return tuple(by_name[name] for name in names)


def _check_names(names: tuple[str, ...]) -> None:
    for name in names:
        # Names become names of folders and of columns.
        odd = not name.isprintable() or name.startswith(".") or any(c in name for c in r'/\,"')
        if not name or len(name) > _LONGEST_NAME or odd:
            raise DataError(
                f"labels: {name[:_SHOWN]!r} cannot be a label: expected 1 to {_LONGEST_NAME} "
                "printable characters without slashes, commas and quotes, not starting with a dot"
            )
    seen: set[str] = set()
    for name in names:
        if _folded(name) in seen:
            raise DataError(f"labels: {name!r} is given twice; leave one of them out")
        seen.add(_folded(name))
    if len(names) < 2:
        only = f"only {names[0]!r}" if names else "no label"
        raise DataError(f"labels: {only}, expected two classes or more to tell apart")


def _check_numbering(numbering: tuple[int, ...], names: tuple[str, ...]) -> None:
    if not numbering:
        return
    if len(numbering) != len(names):
        raise DataError(
            f"labels: {len(numbering)} numbers for {len(names)} labels, expected one for each"
        )
    if not _consecutive(numbering):
        shown = ", ".join(map(str, sorted(numbering)))
        raise DataError(
            f"labels: the numbering {shown} leaves a number out or repeats one; expected "
            f"consecutive numbers, such as 1 to {len(names)}"
        )


def _numbers_of(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the number of each class in files: its position, or its name if that is a number.

    A number can then mean nothing but the class that is called by it.
    """
    if not any(map(_INTEGER.fullmatch, names)):
        return tuple(range(len(names)))
    if not all(map(_INTEGER.fullmatch, names)):
        return ()
    numbers = tuple(map(int, names))
    return numbers if _consecutive(numbers) else ()


def _consecutive(numbers: Iterable[int]) -> bool:
    ordered = sorted(numbers)
    return ordered == list(range(ordered[0], ordered[0] + len(ordered)))


def _colours_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a colour for each name: that of the emotion, else one that no other name has."""
    groups = (_SPELLED_ALIKE.get(_folded(name), ("",))[0] for name in names)
    fixed = [_COLOURS_OF_EMOTIONS.get(group, "") for group in groups]
    free = [colour for colour in _COLOURS if colour not in fixed] or list(_COLOURS)
    others = (free[index % len(free)] for index in range(len(names)))
    return tuple(colour or next(others) for colour in fixed)


def _folded(word: str) -> str:
    return word.strip().casefold()


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts ``class 9`` before ``class 10``."""
    parts = _DIGITS.split(name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


FER2013: Final = LabelSet(
    ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"), title="fer2013"
)
BUILT_IN: Final[Mapping[str, LabelSet]] = {
    "fer2013": FER2013,
    # The majority of FER+'s votes, in the order in which FER+ counts them; files never number them.
    "ferplus": LabelSet(
        ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt"),
        title="ferplus",
        numbering=(),
    ),
    # Li et al., Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression
    # Recognition in the Wild, 2017: the basic emotions, numbered from 1.
    "rafdb": LabelSet(
        ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"),
        title="rafdb",
        numbering=(1, 2, 3, 4, 5, 6, 7),
    ),
    # Mollahosseini et al., AffectNet, 2017; many train without contempt, the last one.
    "affectnet7": LabelSet(
        ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry"), title="affectnet7"
    ),
    "affectnet8": LabelSet(
        ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"),
        title="affectnet8",
    ),
    # Lucey et al., The Extended Cohn-Kanade Dataset, 2010.
    "ckplus": LabelSet(
        ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise"),
        title="ckplus",
    ),
}
