"""The exploration of a data set as tables and ``explore.html``, with faces of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from mien.data import FaceDataset
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.formats.base import FORMATS
from mien.data.statistics import Exploration, Spread, mean_faces, sample_classes
from mien.data.votes import TIE, Agreement, LabelAgreement, vote_columns
from mien.io.files import write_text
from mien.labels import FER2013
from mien.reports.advice import Advice
from mien.reports.commands import data_command, train_first
from mien.reports.figures.classes import draw_class_counts
from mien.reports.figures.exploration import draw_majorities, draw_spreads
from mien.reports.pages import TextTable, embed, render_page

_PER_CLASS: Final = 10  # faces shown of each class
_SEED: Final = 0
_MAX_SIZES: Final = 10
_MAX_GRAY: Final = 255
_MAX_STD: Final = 128  # half black, half white: 127.5

_NOT_A_FACE: Final = {"NF": "not a face"}

_SPREAD_NOTE: Final = "Percentiles over the images of a class, in all splits together."
_AGREEMENT_NOTE: Final = (
    "FER+ majority: the most frequent vote; in a tie there is none. Compared: images whose "
    "majority names an expression, which a tie, unknown and not a face do not. An "
    "expression that FER-2013 has no label for agrees with none."
)


def exploration_tables(exploration: Exploration) -> dict[str, TextTable]:
    """Return the tables of an exploration by name; those of FER+ votes only if there are any."""
    tables = {
        "classes": _classes(exploration),
        "intensity": _spreads(
            "Intensity", exploration.intensity, exploration.intensity_of_all,
            "Mean gray level of an image, from 0 (black) to 255 (white).", decimals=0,
        ),
        "contrast": _spreads(
            "Contrast", exploration.contrast, exploration.contrast_of_all,
            "Std (standard deviation) of the gray levels of an image, from 0 (uniform) to 127.5 "
            "(half black, half white).", decimals=1,
        ),
        "sizes": _sizes(exploration),
    }  # fmt: skip
    if exploration.votes is not None:
        tables["agreement"] = _agreement(exploration.votes)
        tables["majorities"] = _majorities(exploration.votes)
    return tables


class Baseline(NamedTuple):
    """The accuracy of always answering with the most common class.

    Args:
        emotion: most common class of the training images; without these, of all images.
        split: split on which it is measured: ``val``, without images there ``test``; empty for all.
        accuracy: share of the images of this class in the split, 0 to 1.
    """

    emotion: str
    split: str
    accuracy: float


def find_baseline(exploration: Exploration) -> Baseline:
    """Return what a network has to beat: the accuracy of the most common class."""
    counts = exploration.counts
    whole = exploration.class_counts()
    known = counts.get("train", whole)
    emotion = max(known, key=known.__getitem__)
    split = next((name for name in ("val", "test") if name in counts), "")
    measured = counts[split] if split else whole
    return Baseline(emotion, split, measured[emotion] / sum(measured.values()))


def write_exploration(
    exploration: Exploration,
    dataset: FaceDataset,
    folder: Path,
    *,
    paths: Sequence[str | Path] = (),
    options: Mapping[str, object] | None = None,
) -> Path:
    """Write explore.html, which holds faces of the data set, and return its path.

    Args:
        exploration: exploration of the data set.
        dataset: data set, for the faces.
        folder: folder of the page.
        paths: paths that the data set was loaded from, for the commands on the page; without them
            it has none.
        options: options that it was read with, such as ``--labels``; None for one not given.
    """
    page = folder / "explore.html"
    if dataset.drawn:  # nobody voted on these faces
        exploration = replace(exploration, votes=None)
    sampled = sample_classes(dataset, _PER_CLASS, np.random.default_rng(_SEED))
    samples = {
        name: [(dataset.images[row], str(dataset.ids[row])) for row in rows]
        for name, rows in sampled.items()
    }
    intensity = draw_spreads(exploration.intensity, "mean gray level", _MAX_GRAY)
    contrast = draw_spreads(exploration.contrast, "standard deviation of gray levels", _MAX_STD)
    votes = exploration.votes
    html = render_page(
        "explore.html",
        exploration=exploration,
        tables=exploration_tables(exploration),
        verdict=_verdict(exploration),
        cards=_cards(exploration),
        steps=_next_steps(paths, options or {}, skip_bad=bool(dataset.skipped)),
        bars=embed(draw_class_counts(exploration.counts)),
        samples=samples,
        means=mean_faces(dataset),
        per_class=_PER_CLASS,
        seed=_SEED,
        intensity=embed(intensity),
        contrast=embed(contrast),
        majorities=embed(draw_majorities(votes, majority_names())) if votes else None,
        drawn=dataset.drawn,
    )
    write_text(page, html)
    return page


def majority_names() -> dict[str, str]:
    """Return the display name of each majority by FER+'s name of it, the labels' own first."""
    labels = [FERPLUS_VOTES[column] for column in vote_columns(FER2013) or ()]
    names = dict(zip(labels, FER2013.names, strict=True))
    others = {vote: _NOT_A_FACE.get(vote, vote) for vote in (*FERPLUS_VOTES, TIE)}
    return names | {vote: name for vote, name in others.items() if vote not in names}


def voters_sentence(agreement: Agreement) -> str:
    """Return how many voters an image has and how many of them agree, in one sentence."""
    voters = f"{agreement.mean_voters:.1f}".removesuffix(".0")
    return (
        f"{agreement.overall.images:,} images have FER+ votes; on average, "
        f"{agreement.mean_agreeing_voters:.1f} of {voters} voters cast the most frequent vote."
    )


def _verdict(exploration: Exploration) -> str:
    """Return the size of the data set, and what a network has to beat, in a sentence."""
    baseline = find_baseline(exploration)
    present = sum(count > 0 for count in exploration.class_counts().values())
    where = f"of {baseline.split}" if baseline.split else "of them"
    return (
        f"{exploration.images:,} faces of {present} {'class' if present == 1 else 'classes'}; a "
        f"network has to beat {baseline.accuracy:.1%}, the share {where} that is "
        f"{baseline.emotion}, the most common class."
    )


def _next_steps(
    paths: Sequence[str | Path], options: Mapping[str, object], *, skip_bad: bool
) -> list[Advice]:
    """Return what to do with a data set, with commands that run as they stand."""
    if not paths:
        return []
    return [
        Advice(
            "Look for duplicates across splits, wrong labels and unusable images.",
            data_command("audit", paths, options),
        ),
        Advice(
            "Train a small network, to see in a few minutes how far it gets.",
            train_first(paths, options, skip_bad=skip_bad),
        ),
    ]


def _cards(exploration: Exploration) -> list[tuple[str, str, str]]:
    """Return name, value and explanation of the key figures."""
    counts = exploration.class_counts()
    present = {name: count for name, count in counts.items() if count}
    missing = ", ".join(name for name in counts if name not in present)
    largest, smallest = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
    splits = ", ".join(f"{split} {sum(of.values()):,}" for split, of in exploration.counts.items())
    usual, baseline = exploration.sizes[0], find_baseline(exploration)
    cards = [
        ("Images", f"{exploration.images:,}", splits),
        (
            "Classes",
            f"{len(present)} of {len(counts)}",
            f"without images: {missing}" if missing else "with images",
        ),
        (
            "Baseline accuracy",
            _percent(baseline.accuracy),
            f"always {baseline.emotion}, on {baseline.split or 'all images'}",
        ),
        (
            "Largest to smallest",
            f"{present[largest] / present[smallest]:.3g}×",
            f"{largest} {present[largest]:,}, {smallest} {present[smallest]:,}",
        ),
        (
            "Size in the files",
            f"{usual.width}×{usual.height}",
            "all images"
            if len(exploration.sizes) == 1
            else f"most frequent of {len(exploration.sizes):,} sizes",
        ),
    ]
    if exploration.votes is not None:
        overall = exploration.votes.overall
        cards.append(("FER+ agreement", _percent(overall.share), f"of {overall.compared:,} labels"))
    return cards


def _classes(exploration: Exploration) -> TextTable:
    totals = exploration.class_counts()
    rows = [
        (
            name,
            *(f"{of[name]:,}" for of in exploration.counts.values()),
            f"{total:,}",
            _percent(total / exploration.images),
        )
        for name, total in totals.items()
    ]
    sums = (f"{sum(of.values()):,}" for of in exploration.counts.values())
    rows.append(("all", *sums, f"{exploration.images:,}", _percent(1)))
    return TextTable(
        "Classes",
        ("emotion", *exploration.counts, "all", "share"),
        tuple(rows),
        f"Splits: {exploration.split_rule}.",
    )


def _spreads(
    title: str,
    spreads: dict[str, Spread | None],
    of_all: Spread | None,
    meaning: str,
    *,
    decimals: int,
) -> TextTable:
    rows = []
    for name, spread in {**spreads, "all": of_all}.items():
        if spread is None:
            rows.append((name, "0", *["–"] * 5))
            continue
        percentiles = (
            spread.low, spread.quartile, spread.median, spread.upper_quartile, spread.high
        )  # fmt: skip
        rows.append(
            (name, f"{spread.images:,}", *(f"{value:.{decimals}f}" for value in percentiles))
        )
    columns = ("emotion", "images", "5%", "25%", "median", "75%", "95%")
    return TextTable(title, columns, tuple(rows), f"{meaning} {_SPREAD_NOTE}")


def _sizes(exploration: Exploration) -> TextTable:
    sizes = exploration.sizes
    shown, others = sizes[:_MAX_SIZES], sizes[_MAX_SIZES:]
    side = f"{exploration.crop.size_px}×{exploration.crop.size_px}"
    rows = [(f"{size.width}×{size.height}", size.images) for size in shown]
    if others:
        rows.append((f"{len(others):,} others", sum(size.images for size in others)))
    if exploration.layout in FORMATS and FORMATS[exploration.layout].keeps_image_files:
        note = (
            f"Width × height of the image files, in pixels, before they became {side} crops; from "
            "the header of each file, or from the decoded image if the header does not say."
        )
    else:
        note = f"This layout holds pixels of {side} images, not image files."
    if len(sizes) > 1:
        widths, heights = [size.width for size in sizes], [size.height for size in sizes]
        note += (
            f" Widths: {min(widths):,} to {max(widths):,}; heights: {min(heights):,} to "
            f"{max(heights):,}."
        )
    return TextTable(
        "Image sizes",
        ("size", "images", "share"),
        tuple((name, f"{count:,}", _percent(count / exploration.images)) for name, count in rows),
        note,
    )


def _agreement(agreement: Agreement) -> TextTable:
    rows = {**agreement.by_label, "all": agreement.overall}
    return TextTable(
        "Labels and FER+",
        ("label", "with votes", "compared", "agree", "share"),
        tuple(_agreement_row(name, row) for name, row in rows.items()),
        f"{_AGREEMENT_NOTE} {voters_sentence(agreement)}",
    )


def _agreement_row(name: str, row: LabelAgreement) -> tuple[str, ...]:
    counts = (row.images, row.compared, row.agreeing)
    return (name, *(f"{count:,}" for count in counts), _percent(row.share))


def _majorities(agreement: Agreement) -> TextTable:
    columns = {**agreement.by_label, "all": agreement.overall}
    return TextTable(
        "Most frequent vote by label",
        ("majority", *columns),
        tuple(
            (name, *(f"{column.majorities[vote]:,}" for column in columns.values()))
            for vote, name in majority_names().items()
        ),
        "Numbers of images, with one column per label and one row per FER+ majority.",
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
