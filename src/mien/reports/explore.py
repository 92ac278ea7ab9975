"""A data set to tables and ``explore.html``: its classes, faces, light, sizes and votes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.data import FaceDataset
from mien.data.statistics import Exploration, Spread, mean_faces, sample_classes
from mien.data.votes import TIE, Agreement, LabelAgreement
from mien.io.files import write_text
from mien.labels import EMOTIONS
from mien.reports import explore_figures, figures
from mien.reports.pages import TextTable, embed, environment, to_png

_OF_EACH: Final = 10
_SEED: Final = 0
_MAX_SIZES: Final = 10
_MAX_GRAY: Final = 255
_MAX_DEVIATION: Final = 128  # half black, half white: 127.5

# FER+'s names in the order of the labels that they mean, then what means none, as people say it.
MAJORITIES: Final = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprise",
    "neutral": "neutral",
    "contempt": "contempt",
    "unknown": "unknown",
    "NF": "not a face",
    TIE: TIE,
}

_SPREAD_NOTE: Final = "Percentiles over a class's images, of all splits together."
_AGREEMENT_NOTE: Final = (
    "FER+ majority: the vote with the most counts; where two have as many, there is none. "
    "Compared: images with a majority that names an expression, so neither a tie nor unknown nor "
    "not a face. Contempt is an expression, and agrees with no label."
)


@dataclass(frozen=True)
class _Face:
    png: str
    title: str


def exploration_tables(exploration: Exploration) -> dict[str, TextTable]:
    """Return all that an exploration says, as tables: classes, light, sizes and, if any, votes."""
    tables = {
        "classes": _classes(exploration),
        "intensity": _spreads(
            "Intensity", exploration.intensity, exploration.intensity_of_all,
            "An image's mean gray level, 0 black to 255 white.", decimals=0,
        ),
        "contrast": _spreads(
            "Contrast", exploration.contrast, exploration.contrast_of_all,
            "The standard deviation of an image's gray levels, 0 flat to 127.5 half black, "
            "half white.", decimals=1,
        ),
        "sizes": _sizes(exploration),
    }  # fmt: skip
    if exploration.votes is not None:
        tables["agreement"] = _agreement(exploration.votes)
        tables["majorities"] = _majorities(exploration.votes)
    return tables


def write_exploration(exploration: Exploration, dataset: FaceDataset, folder: Path) -> Path:
    """Write explore.html, which holds faces of the data set, and return its path."""
    page = folder / "explore.html"
    drawn = sample_classes(dataset.labels, _OF_EACH, np.random.default_rng(_SEED))
    votes = exploration.votes
    write_text(
        page,
        environment()
        .get_template("explore.html")
        .render(
            exploration=exploration,
            tables=exploration_tables(exploration),
            cards=_cards(exploration),
            bars=embed(figures.draw_class_counts(exploration.counts)),
            pies=embed(figures.draw_class_shares(exploration.counts)),
            samples={
                emotion: [_face(dataset.images[row], dataset.ids[row]) for row in rows]
                for emotion, rows in drawn.items()
            },
            means={
                emotion: _face(image, f"mean of the images labelled {emotion}")
                for emotion, image in mean_faces(dataset).items()
            },
            of_each=_OF_EACH,
            seed=_SEED,
            intensity=embed(
                explore_figures.draw_spreads(
                    exploration.intensity, "mean gray level of an image", _MAX_GRAY
                )
            ),
            contrast=embed(
                explore_figures.draw_spreads(
                    exploration.contrast, "standard deviation of its gray levels", _MAX_DEVIATION
                )
            ),
            majorities=(
                embed(explore_figures.draw_majorities(votes, MAJORITIES)) if votes else None
            ),
        ),
    )
    return page


def voters_sentence(agreement: Agreement) -> str:
    """Say in one sentence how many voters an image has, and how many of them agree."""
    voters = f"{agreement.mean_voters:.1f}".removesuffix(".0")
    return (
        f"{agreement.overall.images:,} images have FER+ votes; of an image's {voters} voters, "
        f"{agreement.mean_agreeing_voters:.1f} cast its most frequent vote, on average."
    )


def _cards(exploration: Exploration) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of the figures that a reader wants first."""
    present = {emotion: count for emotion, count in exploration.class_counts().items() if count}
    missing = ", ".join(emotion for emotion in EMOTIONS if emotion not in present)
    largest, smallest = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
    splits = ", ".join(f"{split} {sum(of.values()):,}" for split, of in exploration.counts.items())
    usual = exploration.sizes[0]
    cards = [
        ("Images", f"{exploration.images:,}", splits),
        (
            "Emotions",
            f"{len(present)} of {len(EMOTIONS)}",
            f"no image of: {missing}" if missing else "each has images",
        ),
        (
            "Largest to smallest",
            f"{present[largest] / present[smallest]:.3g}×",
            f"{largest} {present[largest]:,}, {smallest} {present[smallest]:,}",
        ),
        (
            "Size in the files",
            f"{usual.width}×{usual.height}",
            "every image"
            if len(exploration.sizes) == 1
            else f"the most frequent of {len(exploration.sizes):,} sizes",
        ),
    ]
    if exploration.votes is not None:
        overall = exploration.votes.overall
        cards.append(
            ("Labels agree", _percent(overall.share), f"with FER+, of {overall.compared:,} images")
        )
    return cards


def _classes(exploration: Exploration) -> TextTable:
    totals = exploration.class_counts()
    rows = [
        (
            emotion,
            *(f"{of[emotion]:,}" for of in exploration.counts.values()),
            f"{total:,}",
            _percent(total / exploration.images),
        )
        for emotion, total in totals.items()
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
    rows = [(f"{size.width}×{size.height}", size.images) for size in shown]
    if others:
        rows.append((f"{len(others):,} others", sum(size.images for size in others)))
    if exploration.layout in ("folders", "parquet"):
        note = (
            "Width × height in pixels before they became 48×48 crops, as the files' headers state "
            "them, or the decoded image where a header does not do."
        )
    else:
        note = "This layout holds the 48×48 pixels themselves, and no image files."
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
        ("label", "voted on", "compared", "agree", "share"),
        tuple(_agreement_row(name, row) for name, row in rows.items()),
        f"{_AGREEMENT_NOTE} {voters_sentence(agreement)}",
    )


def _agreement_row(name: str, row: LabelAgreement) -> tuple[str, ...]:
    counts = (row.images, row.compared, row.agreeing)
    return (name, *(f"{count:,}" for count in counts), _percent(row.share))


def _majorities(agreement: Agreement) -> TextTable:
    columns = {**agreement.by_label, "all": agreement.overall}
    return TextTable(
        "Most frequent vote, by label",
        ("majority", *columns),
        tuple(
            (name, *(f"{column.majorities[vote]:,}" for column in columns.values()))
            for vote, name in MAJORITIES.items()
        ),
        "Images; a column a label of the data set, a row a FER+ majority.",
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _face(image: npt.NDArray[np.uint8], title: Any) -> _Face:
    return _Face(to_png(image), str(title))
