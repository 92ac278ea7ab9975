"""Robustness section: accuracy on faces that were blurred, darkened, rotated, covered and so on."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mien.evaluation.metrics import share_interval
from mien.evaluation.robustness import Robustness
from mien.reports.sections.base import SECTIONS, Section
from mien.reports.svg import COLOURS, INK, STYLE, WIDTH_IN


@SECTIONS.register("robustness")
class RobustnessSection(Section):
    """Report section about the accuracy on changed faces of the split."""

    title = "Robustness"
    order = 60
    needs = ("robustness",)
    without = "Not measured: this needs the Bundle, the data set and an evaluation."

    @property
    def robustness(self) -> Robustness:
        """Accuracy under each change."""
        assert self.content.robustness is not None
        return self.content.robustness

    @property
    def worst_change(self) -> str:
        """Name of the change that costs the most accuracy, without its unit."""
        accuracy = self.robustness.accuracy
        return min(accuracy, key=lambda name: sum(accuracy[name])).split(" (")[0]

    def figures(self) -> dict[str, Figure]:
        """Return accuracy against the strength of each change."""
        return {"robustness": draw_robustness(self.robustness)}

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return one row per change and strength."""
        rows = [
            {
                "change": change,
                "strength": strength,
                "amount": amount,
                "accuracy": accuracy,
                "low": low,
                "high": high,
            }
            for change, values in self.robustness.accuracy.items()
            for strength, (amount, accuracy, low, high) in enumerate(
                zip(
                    self.robustness.amounts[change],
                    values,
                    *share_interval(np.array(values), self.robustness.images),
                    strict=True,
                ),
                start=1,
            )
        ]
        return {"robustness": rows}

    def numbers(self) -> dict[str, Any]:
        """Return the accuracy under each change."""
        robustness = self.content.robustness
        return {"robustness": robustness.model_dump() if robustness else None}


@mpl.rc_context(STYLE)
def draw_robustness(robustness: Robustness) -> Figure:
    """Draw accuracy against the strength of each change, with 95% intervals."""
    rows = -(-len(robustness.accuracy) // 2)
    figure = Figure(figsize=(WIDTH_IN, 1.6 * rows), layout=ConstrainedLayoutEngine(h_pad=0.1))
    grid = figure.subplots(rows, 2, sharey=True, squeeze=False)
    for axes, name in zip(grid.ravel(), robustness.accuracy, strict=False):
        values, amounts = robustness.accuracy[name], robustness.amounts[name]
        steps = range(len(values))
        axes.axhline(robustness.clean, color=INK, alpha=0.5, linewidth=1, linestyle=":")
        low, high = share_interval(np.array(values), robustness.images)
        axes.fill_between(steps, low, high, color=COLOURS[0], alpha=0.2, linewidth=0)
        axes.plot(steps, values, "o-", color=COLOURS[0], markersize=4, linewidth=1.4)
        axes.set_title(name, fontsize=9)
        axes.set_xticks(steps, [f"{amount:g}" for amount in amounts])
        axes.tick_params(labelsize=8)
        axes.set_ylim(0, 1)
    for axes in grid.ravel()[len(robustness.accuracy) :]:
        axes.set_axis_off()
    figure.supylabel("accuracy", fontsize=10)
    return figure
