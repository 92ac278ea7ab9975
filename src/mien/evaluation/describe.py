"""Describe scores and protocols in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mien.bundle.scores import Protocol, ScoreSummary
from mien.data.split import AS_STATED
from mien.evaluation.tta import describe_tta

_NAMED: Final = 10  # labels; more of them are counted


def describe_labels(names: Sequence[str]) -> str:
    """Return the names of classes as a list, the last of many as their number."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def show_score(value: float | None) -> str:
    """Return a score with three decimals, a dash if there is none."""
    return "–" if value is None else f"{value:.3f}"


def describe_protocol(protocol: Protocol) -> str:
    """Return a protocol as one line; its last part is the overlap with the training images."""
    parts = [
        f"{protocol.split} split of {protocol.data}, {protocol.images:,} images, "
        f"{describe_tta(protocol.tta)}"
    ]
    if protocol.split_rule != AS_STATED:
        parts.append(f"splits: {protocol.split_rule}")
    if protocol.checkpoint:
        parts.append(f"weights: {protocol.checkpoint}")
    if protocol.skipped:
        parts.append(f"{protocol.skipped:,} of the data set's images could not be used")
    if protocol.trained_on_split:
        parts.append("the model was trained on these images, so it says nothing about others")
    if protocol.chosen_on_split:
        parts.append("the weights were chosen by these images, which flatters the score a little")
    if protocol.split != "train":
        parts.append(describe_overlap(protocol))
    return "; ".join([*parts, *_known_images(protocol)])


def describe_overlap(protocol: Protocol) -> str:
    """Return how many of the evaluated images have a duplicate in the train split, in words."""
    if protocol.identical_in_train is None:
        return "duplicates in the train split: not counted"
    identical = _count(protocol, protocol.identical_in_train)
    if protocol.near_in_train is None:
        return f"duplicates in the train split: {identical} exact (near duplicates: not counted)"
    if not protocol.identical_in_train + protocol.near_in_train:
        return "no duplicates in the train split, exact or near"
    near = _share(protocol, protocol.near_in_train)
    return f"duplicates in the train split: {identical} exact, {near} near"


def describe_without_overlap(scores: ScoreSummary) -> str:
    """Return the scores on the images without a duplicate as one line; empty if there are none.

    The line continues that of `describe_protocol`, which ends with the overlap.
    """
    rest = scores.without_overlap
    if rest is None:
        return ""
    accuracy, macro_f1 = (
        f"{show_score(score.value)} ({show_score(score.low)} to {show_score(score.high)})"
        for score in (rest.accuracy, rest.macro_f1)
    )
    left_out = scores.protocol.images - rest.images
    without = "this image" if left_out == 1 else f"these {left_out:,} images"
    return f"Without {without}: accuracy {accuracy}, macro F1 {macro_f1} on {_images(rest.images)}"


def _known_images(protocol: Protocol) -> list[str]:
    """Return how many of the images the run knows, if no other part of the line says so."""
    if protocol.same_data:
        if protocol.chosen_on_split or not protocol.chosen_by:
            return []
        return [f"the weights were chosen by {_count(protocol, protocol.chosen_by)} of these"]
    if protocol.trained_on is None or protocol.chosen_by is None:
        known = "unknown how many of these images it was trained on"
    else:
        trained_on = _share(protocol, protocol.trained_on)
        chosen_by = _share(protocol, protocol.chosen_by)
        known = f"trained on {trained_on} of these images and chosen by {chosen_by}"
    return [f"not the data set that the model was trained on: {known}"]


def _count(protocol: Protocol, count: int) -> str:
    return f"{_images(count)} ({count / protocol.images:.1%})"


def _share(protocol: Protocol, count: int) -> str:
    return f"{count:,} ({count / protocol.images:.1%})"


def _images(count: int) -> str:
    return f"{count:,} {'image' if count == 1 else 'images'}"
