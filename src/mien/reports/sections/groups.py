"""Groups section: figures by group of people, and whether gaps are more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mien.evaluation.groups import FEWEST, Grouping, describe_gap
from mien.reports.sections.base import SECTIONS, EvaluationSection
from mien.reports.svg import COLOURS, STYLE, WIDTH_IN, class_names


@SECTIONS.register("groups")
class GroupsSection(EvaluationSection):
    """Report section about groups of people; left out if none were given."""

    title = "Groups of people"
    order = 55
    without = ""
    fewest = FEWEST

    @property
    def complete(self) -> bool:
        """Whether the evaluation has figures by group."""
        return super().complete and bool(self.evaluation.groups)

    @property
    def gaps(self) -> list[str]:
        """Every gap in one sentence, those that chance hardly explains first."""
        found = [(gap, one.column) for one in self.evaluation.groups for gap in one.gaps]
        found.sort(key=lambda pair: not pair[0].more_than_chance)
        return [f"{describe_gap(column, gap)}." for gap, column in found]

    @property
    def verdict(self) -> str:
        """The result in a sentence."""
        gaps = [gap for one in self.evaluation.groups for gap in one.gaps]
        if not gaps:
            return "Too few images of each group: no gap can be tested."
        more = sum(gap.more_than_chance for gap in gaps)
        if not more:
            return "No gap between groups is more than chance explains; this proves no equality."
        return (
            f"{more} of {len(gaps)} gaps between groups {'is' if more == 1 else 'are'} more "
            "than chance explains."
        )

    def figures(self) -> dict[str, Figure]:
        """Return the accuracy of each group with its interval."""
        return {"groups": draw_groups(self.evaluation.groups)}

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the figures of each group."""
        rows = []
        for grouping in self.evaluation.groups:
            for one in grouping.groups:
                row: dict[str, Any] = {
                    "column": grouping.column, "group": one.group, "images": one.images
                }  # fmt: skip
                for name in ("accuracy", "macro_f1", "weighted_f1", "roc_auc", "calibration_error"):
                    score = getattr(one, name)
                    row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
                rows.append(row | {f"recall_{name}": value for name, value in one.recall.items()})
        return {"groups": rows}

    def numbers(self) -> dict[str, Any]:
        """Return the figures of each group and the gaps; empty if there are no groups."""
        groups = self.content.evaluation.groups if self.content.evaluation else ()
        return {"groups": [one.model_dump(mode="json") for one in groups]}


@mpl.rc_context(STYLE)
def draw_groups(groupings: Sequence[Grouping]) -> Figure:
    """Draw the accuracy of each group with its 95% interval, the groups of a column together."""
    sizes = [len(one.groups) for one in groupings]
    height = 0.6 + sum(0.5 + 0.26 * size for size in sizes)
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    grid = figure.subplots(len(sizes), 1, sharex=True, squeeze=False, height_ratios=sizes)
    for axes, grouping in zip(grid[:, 0], groupings, strict=True):
        places = np.arange(len(grouping.groups))
        low, value, high = (
            np.array([getattr(one.accuracy, end) for one in grouping.groups], float)
            for end in ("low", "value", "high")
        )
        axes.hlines(places, low, high, color=COLOURS[0])
        axes.plot(value, places, "o", color=COLOURS[0], markersize=5)
        axes.set_yticks(places, class_names(one.group for one in grouping.groups))
        axes.set_ylim(len(places) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_title(*class_names([grouping.column]), fontsize=9, loc="left")
        axes.grid(visible=False, axis="y")
    grid[-1, 0].set_xlabel("accuracy")
    return figure
