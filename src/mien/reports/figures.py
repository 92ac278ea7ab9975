"""The figures of a training and of its data: one function a figure."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mien.labels import COLOURS as EMOTION_COLOURS
from mien.labels import EMOTIONS
from mien.reports.svg import COLOURS, INK, STYLE, WIDTH_IN, new_figure

_TRAIN, _VAL, _TEST = COLOURS[:3]


@mpl.rc_context(STYLE)
def draw_curve(
    history: Sequence[dict[str, float]], quantity: str, kept_epoch: int | None
) -> Figure:
    """Draw training and validation ``loss`` or ``accuracy`` against epochs.

    Args:
        history: a run's rows.
        quantity: ``loss`` or ``accuracy``.
        kept_epoch: is marked; its weights were kept.
    """
    figure, axes = new_figure(2.9)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) == 1 else None
    for split, colour, style in (("train", _TRAIN, "--"), ("val", _VAL, "-")):
        values = [row[f"{split}_{quantity}"] for row in history]
        axes.plot(epochs, values, style, color=colour, label=split, marker=marker)
    if kept_epoch is not None:
        axes.axvline(kept_epoch, color=INK, alpha=0.5, linewidth=1, linestyle=":")
        axes.annotate(  # above the axes, where no curve runs
            f"kept: {kept_epoch}", (kept_epoch, 1), (0, 3), ha="center", va="bottom",
            xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=9,
        )  # fmt: skip
    axes.set_xlabel("epoch")
    axes.set_ylabel(quantity)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right" if quantity == "accuracy" else "upper right")
    return figure


@mpl.rc_context(STYLE)
def draw_rate(history: Sequence[dict[str, float]]) -> Figure:
    """Draw the learning rate against epochs."""
    figure, axes = new_figure(2.0)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) == 1 else None
    axes.plot(epochs, [row["lr"] for row in history], color=_TRAIN, marker=marker)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel("learning rate")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@mpl.rc_context(STYLE)
def draw_class_shares(counts: dict[str, dict[str, int]]) -> Figure:
    """Draw each split's emotions as a pie. ``counts``: split -> emotion -> images."""
    figure = Figure(figsize=(WIDTH_IN, 2.6), layout="constrained")
    for index, (split, by_emotion) in enumerate(counts.items(), start=1):
        axes = figure.add_subplot(1, len(counts), index)
        values = [by_emotion[emotion] for emotion in EMOTIONS]
        wedges, _ = axes.pie(values, colors=EMOTION_COLOURS, startangle=90, counterclock=False)
        axes.set_title(split, fontsize=9)
        for wedge, value in zip(wedges, values, strict=True):
            share, middle = value / sum(values), np.radians((wedge.theta1 + wedge.theta2) / 2)
            if share >= 0.05:  # a smaller one has no room for its figure
                axes.text(
                    0.65 * np.cos(middle), 0.65 * np.sin(middle), f"{share:.0%}",
                    ha="center", va="center", fontsize=7,
                )  # fmt: skip
    figure.legend(wedges, EMOTIONS, loc="outside lower center", ncols=4, fontsize=8)
    return figure


@mpl.rc_context({**STYLE, "axes.grid": False})
def draw_class_counts(counts: dict[str, dict[str, int]]) -> Figure:
    """Draw the images of each emotion, a bar a split. ``counts``: split -> emotion -> images."""
    figure, axes = new_figure(3.0)
    height = 0.8 / len(counts)
    positions = np.arange(len(EMOTIONS))
    colours = dict(zip(("train", "val", "test"), (_TRAIN, _VAL, _TEST), strict=True))
    for index, (split, by_emotion) in enumerate(counts.items()):
        values = [by_emotion[emotion] for emotion in EMOTIONS]
        offset = (index - (len(counts) - 1) / 2) * height
        bars = axes.barh(
            positions + offset, values, height * 0.92, color=colours[split], label=split
        )
        axes.bar_label(bars, [f"{value:,}" for value in values], padding=3, fontsize=8)
    axes.set_yticks(positions, EMOTIONS)
    axes.invert_yaxis()
    axes.set_xlabel("images")
    axes.margins(x=0.14)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower right")
    return figure
