"""Split names, and splits where the files name none."""

from __future__ import annotations

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
HELD_OUT_FRACTION: Final = 0.10  # of train, as val, where the files name a train split but no val

Splits = npt.NDArray[np.str_]


def split_of(word: str) -> str | None:
    """Return the split that a word names (``Training``, ``validation``), None if it names none."""
    return _WORDS.get(word.strip().lower())


def assign_splits(
    stated: Splits,
    labels: npt.NDArray[np.int64],
    *,
    fractions: Sequence[float] | None = None,
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
        seed: of the shuffle inside each class.

    Raises:
        DataError: if the fractions do not sum to 1, or the files name splits for some images only.
    """
    unstated = stated == ""
    if fractions is None and not unstated.all():
        if unstated.any():
            raise DataError(
                f"{int(unstated.sum()):,} of {len(stated):,} images have no split, expected all or "
                "none; give the others one, or split all of them afresh by fractions"
            )
        if (stated == "val").any() or not (stated == "train").any():
            return stated, "as the files say"
        splits = stated.copy()
        (train,) = np.nonzero(stated == "train")
        held_out = (1 - HELD_OUT_FRACTION, HELD_OUT_FRACTION, 0.0)
        splits[train] = _stratified(labels[train], held_out, seed)
        rule = f"{HELD_OUT_FRACTION:.0%} of train held out as val, stratified, seed {seed}"
        return splits, f"as the files say, but {rule}"

    shares = tuple(fractions or DEFAULT_FRACTIONS)
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise DataError(f"split fractions {shares}: expected three shares that sum to 1")
    words = "/".join(f"{100 * share:g}" for share in shares)
    why = "the files name no split" if unstated.all() else "the files' own splits were pooled"
    return _stratified(labels, shares, seed), f"stratified {words}, seed {seed}; {why}"


def _stratified(labels: npt.NDArray[np.int64], shares: tuple[float, ...], seed: int) -> Splits:
    """Split each class by ``shares``, to the image where rounding allows."""
    generator = np.random.default_rng(seed)
    splits = np.empty(len(labels), dtype="<U5")
    ends = np.cumsum(shares)
    for label in np.unique(labels):
        rows = generator.permutation(np.nonzero(labels == label)[0])
        train_end, val_end = np.rint(ends[:2] * len(rows)).astype(int)
        splits[rows[:train_end]] = "train"
        splits[rows[train_end:val_end]] = "val"
        splits[rows[val_end:]] = "test"
    return splits
