"""Names of splits, and the rules by which images are assigned to train, val and test."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from mien.data.fer2013 import USAGES
from mien.errors import DataError
from mien.types import Integers, Labels, Strings

SPLITS: Final = ("train", "val", "test")

# Names that files and folders use for a split, in lower case. Names such as "evaluation" and
# "holdout" are validation images to some authors and test images to others, so they are none.
_WORDS: Final = {
    **{word.lower(): split for split, word in USAGES.items()},
    "public_test": "val",
    "private_test": "test",
    "train": "train",
    "trn": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "dev": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
    "tst": "test",
}
_SEPARATORS: Final = re.compile(r"[\s_.-]+")
_THINGS: Final = re.compile(r"(.+?)_?(?:data|dataset|set|split|images|faces|folder)")

DEFAULT_FRACTIONS: Final = (0.70, 0.15, 0.15)
AS_STATED: Final = "as the files say"  # split rule of data sets with splits of their own
DEFAULT_VALIDATION_SHARE: Final = 0.10  # of train, if the files state a train split but no val


def split_of(word: str) -> str | None:
    """Return the split of a name such as ``Training`` or ``val-set``; None if it is no split's."""
    name = _SEPARATORS.sub("_", word.strip().lower()).strip("_")
    bare = _THINGS.fullmatch(name)
    return _WORDS.get(name) or (_WORDS.get(bare[1]) if bare else None)


def split_in_name(name: str) -> str:
    """Return the split that a file's name contains (``train-00000-of-00001``); empty if none."""
    words = re.split(r"[^A-Za-z]+", name)
    return next((split for word in words if word and (split := split_of(word))), "")


def parse_fractions(text: str) -> tuple[float, float, float]:
    """Return the shares of train, val and test, which sum to 1.

    Args:
        text: three numbers, as percentages (``70,15,15``) or as shares (``0.7,0.15,0.15``).

    Raises:
        DataError: if the text is anything else.
    """
    expected = DataError(
        f"split fractions {text!r}: expected three numbers, for train, val and test, that sum to "
        "100 or to 1, such as 70,15,15"
    )
    try:
        numbers = [float(word.strip().removesuffix("%")) for word in text.split(",")]
    except ValueError:
        raise expected from None
    whole = sum(numbers)
    if len(numbers) != 3 or not all(math.isfinite(n) and n >= 0 for n in numbers):
        raise expected
    if not any(math.isclose(whole, one, rel_tol=1e-6) for one in (1, 100)):
        raise expected
    train, val, test = (number / whole for number in numbers)
    return train, val, test


def assign_splits(
    stated: Strings,
    labels: Labels,
    *,
    fractions: Sequence[float] | None = None,
    validation_share: float = 0.0,
    make_val: bool = True,
    groups: Integers | None = None,
    seed: int = 0,
) -> tuple[Strings, str]:
    """Return the split of each image, and a description of how the splits were made.

    Splits stated by the files are kept. If the files state none, or `fractions` are given, all
    images are split afresh, stratified by label. If the files state a train split but no val, a
    tenth of train becomes val, stratified by label: checkpoints have to be selected on some split,
    and it must not be test.

    Args:
        stated: split that the files state for each image; empty if they state none.
        labels: label of each image.
        fractions: shares of train, val and test, which sum to 1; None keeps the stated splits.
        validation_share: share of the stated train split that becomes val; all other images are
            then test. 0 keeps the stated splits.
        make_val: whether a tenth of train becomes val if the files state no val.
        groups: group number of each image; images of a group stay together when they are split
            afresh. None puts each image in a group of its own.
        seed: seed of the shuffle within each class.

    Raises:
        DataError: if the fractions do not sum to 1, or the files state splits for some images only.
    """
    if groups is None:
        groups = np.arange(len(labels))
    together = "" if len(np.unique(groups)) == len(groups) else ", duplicates together"
    unstated = stated == ""
    if fractions is None and not unstated.all():
        if unstated.any():
            raise DataError(
                f"{int(unstated.sum()):,} of {len(stated):,} images have no split, expected all or "
                "none; give these a split, or split all images afresh with fractions"
            )
        (train,) = np.nonzero(stated == "train")
        wants_val = make_val and not (stated == "val").any()
        if len(train) == 0 or not (wants_val or validation_share):
            return stated, AS_STATED
        share = validation_share or DEFAULT_VALIDATION_SHARE
        splits = np.full(len(stated), "test", dtype="<U5")
        splits[train] = _stratified(labels[train], (1 - share, share, 0.0), groups[train], seed)
        rule = f"{100 * share:g}% of train held out as val, stratified{together}, seed {seed}"
        moved = "; the files' val is test" if (stated == "val").any() else ""
        return splits, f"{AS_STATED}, but {rule}{moved}"

    shares = tuple(fractions or DEFAULT_FRACTIONS)
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise DataError(f"split fractions {shares}: expected three shares that sum to 1")
    words = "/".join(f"{100 * share:g}" for share in shares)
    why = "the files name no split" if unstated.all() else "the files' own splits were pooled"
    splits = _stratified(labels, shares, groups, seed)
    return splits, f"stratified {words}{together}, seed {seed}; {why}"


def count_splits(splits: Strings) -> dict[str, int]:
    """Return the number of images in each split that has any, in the order of SPLITS."""
    counts = {split: int(np.count_nonzero(splits == split)) for split in SPLITS}
    return {split: count for split, count in counts.items() if count}


def split_ranks(splits: Strings) -> Integers:
    """Return the position of each image's split in SPLITS; 0 for an image without a split."""
    names, inverse = np.unique(splits, return_inverse=True)
    return np.array([SPLITS.index(name) if name else 0 for name in names], np.int64)[inverse]


def _stratified(labels: Labels, shares: Sequence[float], groups: Integers, seed: int) -> Strings:
    """Split each class by shares, exactly except for rounding and groups.

    A group is assigned as a whole, in the class of its first image.
    """
    generator = np.random.default_rng(seed)
    splits = np.empty(len(labels), dtype="<U5")
    ends = np.cumsum(shares)
    _, firsts, members = np.unique(groups, return_index=True, return_inverse=True)
    firsts_labels, sizes = labels[firsts], np.bincount(members)
    of_group = np.empty(len(firsts), dtype="<U5")
    for label in np.unique(firsts_labels):
        shuffled = generator.permutation(np.nonzero(firsts_labels == label)[0])
        # The number of images before a group decides its split.
        begins = np.cumsum(sizes[shuffled]) - sizes[shuffled]
        train_end, val_end = np.rint(ends[:2] * sizes[shuffled].sum()).astype(int)
        of_group[shuffled[begins < train_end]] = "train"
        of_group[shuffled[(begins >= train_end) & (begins < val_end)]] = "val"
        of_group[shuffled[begins >= val_end]] = "test"
    splits[:] = of_group[members]
    return splits
