"""Split names, and splits where the files name none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.errors import DataError

SPLITS: Final = ("train", "val", "test")

# The competition's words for the splits, as they are written back to a CSV.
COMPETITION_WORDS: Final = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}

# Every word that files and folders use for a split, in lower case.
_WORDS: Final = {
    **{word.lower(): split for split, word in COMPETITION_WORDS.items()},
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}

DEFAULT_FRACTIONS: Final = (0.70, 0.15, 0.15)
AS_STATED: Final = "as the files say"  # the rule of splits that were not made here
HELD_OUT_FRACTION: Final = 0.10  # of train, as val, where the files name a train split but no val

Splits = npt.NDArray[np.str_]
Labels = npt.NDArray[np.int64]


def split_of(word: str) -> str | None:
    """Return the split that a word names (``Training``, ``validation``), None if it names none."""
    return _WORDS.get(word.strip().lower())


def parse_fractions(text: str) -> tuple[float, float, float]:
    """Return shares of train, val and test that sum to 1, from ``70,15,15`` or ``0.7,0.15,0.15``.

    Raises:
        DataError: if the text is anything else.
    """
    expected = DataError(
        f"split fractions {text!r}: expected three numbers, of train, val and test, that sum to "
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
    stated: Splits,
    labels: Labels,
    *,
    fractions: Sequence[float] | None = None,
    validation_share: float = 0.0,
    make_val: bool = True,
    groups: Labels | None = None,
    seed: int = 0,
) -> tuple[Splits, str]:
    """Return a split for every image, and in words how it came about.

    The files' own splits are kept. Where they name none, or ``fractions`` asks to pool what they
    name, the images are split afresh, stratified by label. Where they name a train split but no
    val, a tenth of train becomes val, stratified: a checkpoint has to be chosen by something, and
    it must not be the test split.

    Args:
        stated: the split that the files state for each image; an empty string where they do not.
        labels: the images' labels.
        fractions: shares of train, val and test, which sum to 1.
        validation_share: share of the stated train split that becomes val; every other image is
            then test.
        make_val: hold out that tenth of train where the files name no val; else they have none.
        groups: a number for each image; images of the same number stay together in what is split
            afresh. None lets every image go its own way.
        seed: of the shuffle inside each class.

    Raises:
        DataError: if the fractions do not sum to 1, or the files name splits for some images only.
    """
    if groups is None:
        groups = np.arange(len(labels))
    together = "" if len(np.unique(groups)) == len(groups) else ", duplicates together"
    unstated = stated == ""
    if fractions is None and not unstated.all():
        if unstated.any():
            raise DataError(
                f"{int(unstated.sum()):,} of {len(stated):,} images have no split, expected all or "
                "none; give the others one, or split all of them afresh by fractions"
            )
        (train,) = np.nonzero(stated == "train")
        wants_val = make_val and not (stated == "val").any()
        if len(train) == 0 or not (wants_val or validation_share):
            return stated, AS_STATED
        share = validation_share or HELD_OUT_FRACTION
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


def _stratified(labels: Labels, shares: Sequence[float], groups: Labels, seed: int) -> Splits:
    """Split each class by ``shares``, to the image where rounding and groups allow.

    A group goes where its first image goes, in the class of that image.
    """
    generator = np.random.default_rng(seed)
    splits = np.empty(len(labels), dtype="<U5")
    ends = np.cumsum(shares)
    _, firsts, members = np.unique(groups, return_index=True, return_inverse=True)
    firsts_labels, sizes = labels[firsts], np.bincount(members)
    of_group = np.empty(len(firsts), dtype="<U5")
    for label in np.unique(firsts_labels):
        shuffled = generator.permutation(np.nonzero(firsts_labels == label)[0])
        # Where a group begins among the class's images, all counted, decides where it goes.
        begins = np.cumsum(sizes[shuffled]) - sizes[shuffled]
        train_end, val_end = np.rint(ends[:2] * sizes[shuffled].sum()).astype(int)
        of_group[shuffled[begins < train_end]] = "train"
        of_group[shuffled[(begins >= train_end) & (begins < val_end)]] = "val"
        of_group[shuffled[begins >= val_end]] = "test"
    splits[:] = of_group[members]
    return splits
