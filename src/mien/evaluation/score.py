"""Score: a figure with its 95% interval, and how people are shown it."""

from __future__ import annotations

from mien.evaluation.protocol import Record


class Score(Record):
    """A score and its 95% bootstrap interval; None where it cannot be had."""

    value: float | None
    low: float | None
    high: float | None


def show_score(value: float | None) -> str:
    """Return a score as people are shown it, a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"
