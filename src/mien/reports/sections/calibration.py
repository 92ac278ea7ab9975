"""Calibration section: whether the confidence equals the share of right answers."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mien.bundle.metadata import BundleMetadata
from mien.evaluation.calibration import risk_coverage
from mien.evaluation.metrics import Floats, Reliability, reliability
from mien.reports.sections.base import SECTIONS, EvaluationSection
from mien.reports.svg import COLOURS, INK, STYLE, WIDTH_IN, new_figure

_POINT, _CURVE = COLOURS[:2]
_ENOUGH: Final = 20  # images; the risk among fewer says nothing


@SECTIONS.register("calibration")
class CalibrationSection(EvaluationSection):
    """Report section about how far the network's confidence can be trusted."""

    title = "Calibration"
    order = 50

    @property
    def metadata(self) -> BundleMetadata | None:
        """Metadata of the Bundle; None if the run has none."""
        return self.content.bundle.metadata if self.content.bundle else None

    @cached_property
    def bins(self) -> Reliability:
        """Confidence and accuracy in bins of confidence."""
        return reliability(self.labels, self.probabilities)

    @cached_property
    def risk(self) -> tuple[Floats, Floats, Floats]:
        """Thresholds, with the coverage and the risk of answering only at or above each."""
        return risk_coverage(self.probabilities, self.labels)

    def figures(self) -> dict[str, Figure]:
        """Return the reliability diagram and the risk-coverage curve."""
        threshold = self.metadata.uncertain_below if self.metadata else 0.0
        return {
            "reliability": draw_reliability(self.bins),
            "risk-coverage": draw_risk_coverage(
                *self.risk, images=len(self.labels), uncertain_below=threshold
            ),
        }

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the bins of the reliability diagram and the points of the risk-coverage curve."""
        columns = ("images", "confidence", "accuracy", "low", "high")
        bins = zip(*(getattr(self.bins, column) for column in columns), strict=True)
        return {
            "reliability": [
                {"bin": index, **dict(zip(columns, values, strict=True))}
                for index, values in enumerate(bins)
            ],
            "risk-coverage": [
                {"threshold": threshold, "coverage": coverage, "risk": risk}
                for threshold, coverage, risk in zip(*self.risk, strict=True)
            ],
        }

    def numbers(self) -> dict[str, Any]:
        """Return calibration and face gate: empty if there is none, None without a Bundle."""
        if self.metadata is None:
            return {"calibration": None, "face_gate": None}
        calibration, gate = self.metadata.calibration, self.metadata.face_gate
        return {
            "calibration": calibration.model_dump(mode="json") if calibration else {},
            "face_gate": gate.model_dump(mode="json") if gate else {},
        }


@mpl.rc_context(STYLE)
def draw_reliability(bins: Reliability) -> Figure:
    """Draw accuracy against confidence in bins with 95% intervals, above the number of images."""
    figure = Figure(figsize=(WIDTH_IN, 4.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    count = len(bins.images)
    middles = (np.arange(count) + 0.5) / count
    above.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=1, linestyle=":")
    filled = bins.images > 0
    above.vlines(bins.confidence[filled], bins.low[filled], bins.high[filled], color=_CURVE)
    above.plot(bins.confidence[filled], bins.accuracy[filled], "o-", color=_CURVE, markersize=4)
    above.set_ylabel("share read as labelled")
    above.set_ylim(0, 1.02)
    below.bar(middles, bins.images, 0.9 / count, color=_CURVE)
    below.set_ylabel("images")
    below.set_xlabel("confidence: the highest probability")
    below.set_xlim(0, 1)
    return figure


@mpl.rc_context(STYLE)
def draw_risk_coverage(
    thresholds: Floats, coverage: Floats, risk: Floats, *, images: int, uncertain_below: float
) -> Figure:
    """Draw the share of wrong answers against the share of answered faces, most confident first.

    Args:
        thresholds: thresholds in descending order.
        coverage: share of the images at or above each threshold.
        risk: share of wrong answers among these.
        images: number of images.
        uncertain_below: threshold in use, whose point is marked; 0 for none.
    """
    figure, axes = new_figure(4.0)
    shown = coverage * images >= min(_ENOUGH, images)
    axes.plot(coverage[shown], risk[shown], color=_CURVE)
    if uncertain_below and (thresholds >= uncertain_below).any():
        at = int(np.nonzero(thresholds >= uncertain_below)[0][-1])
        axes.plot(coverage[at], risk[at], "o", color=_POINT)
        room = coverage[at] < 0.5  # right of the point
        axes.annotate(
            f"sure: {coverage[at]:.0%} of faces, {risk[at]:.0%} wrong",
            (coverage[at], risk[at]), (6, -14) if room else (-6, 8), ha="left" if room else "right",
            textcoords="offset points", fontsize=9,
        )  # fmt: skip
    axes.set_xlim(0, 1.02)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("share of faces answered, the surest first")
    axes.set_ylabel("share of wrong answers")
    return figure
