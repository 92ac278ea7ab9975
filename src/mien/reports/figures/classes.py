"""Class distribution of each split, as bars and as pies."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mien.labels import COLOURS as EMOTION_COLOURS
from mien.labels import EMOTIONS
from mien.reports.svg import COLOURS, STYLE, WIDTH_IN, new_figure

_SPLIT_COLOURS = dict(zip(("train", "val", "test"), COLOURS, strict=False))


@mpl.rc_context({**STYLE, "axes.grid": False})
def draw_class_counts(counts: dict[str, dict[str, int]]) -> Figure:
    """Draw the number of images of each emotion as bars, one per split.

    Args:
        counts: split -> emotion -> number of images.
    """
    figure, axes = new_figure(3.0)
    height = 0.8 / len(counts)
    positions = np.arange(len(EMOTIONS))
    for index, (split, by_emotion) in enumerate(counts.items()):
        values = [by_emotion[emotion] for emotion in EMOTIONS]
        offset = (index - (len(counts) - 1) / 2) * height
        bars = axes.barh(
            positions + offset, values, height * 0.92, color=_SPLIT_COLOURS[split], label=split
        )
        axes.bar_label(bars, [f"{value:,}" for value in values], padding=3, fontsize=8)
    axes.set_yticks(positions, EMOTIONS)
    axes.invert_yaxis()
    axes.set_xlabel("images")
    axes.margins(x=0.14)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower right")
    return figure


@mpl.rc_context(STYLE)
def draw_class_shares(counts: dict[str, dict[str, int]]) -> Figure:
    """Draw the share of each emotion in each split as a pie.

    Args:
        counts: split -> emotion -> number of images.
    """
    figure = Figure(figsize=(WIDTH_IN, 2.6), layout="constrained")
    for index, (split, by_emotion) in enumerate(counts.items(), start=1):
        axes = figure.add_subplot(1, len(counts), index)
        values = [by_emotion[emotion] for emotion in EMOTIONS]
        wedges, _ = axes.pie(values, colors=EMOTION_COLOURS, startangle=90, counterclock=False)
        axes.set_title(split, fontsize=9)
        for wedge, value in zip(wedges, values, strict=True):
            share, middle = value / sum(values), np.radians((wedge.theta1 + wedge.theta2) / 2)
            if share >= 0.05:  # a smaller wedge has no room for its number
                axes.text(
                    0.65 * np.cos(middle), 0.65 * np.sin(middle), f"{share:.0%}",
                    ha="center", va="center", fontsize=7, color=_readable_on(wedge.get_facecolor()),
                )  # fmt: skip
    figure.legend(wedges, EMOTIONS, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _readable_on(colour: tuple[float, ...]) -> str:
    """Return black or white, whichever contrasts more with a colour (WCAG 2's luminance)."""
    red, green, blue = (channel**2.2 for channel in colour[:3])
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#ffffff"
