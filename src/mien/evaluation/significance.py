"""Compare the evaluations of several runs: rank those measured alike, and test them in pairs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np

from mien.bundle.bundle import Bundle
from mien.evaluation.describe import describe_labels
from mien.evaluation.metrics import holm, mcnemar, paired_difference
from mien.evaluation.result import Evaluation
from mien.images.crop import CropSpec

_READS: Final = 50


@dataclass(frozen=True)
class ComparedRun:
    """A trained network in a comparison, with its evaluation and its costs.

    Args:
        name: name of the run in tables and figures.
        evaluation: evaluation on the split that the runs are compared on.
        crop: size and channels of the face crops.
        parameters: number of weights.
        macs: multiply-accumulate operations for one face; None if not known.
        seconds_per_epoch: median duration of an epoch, in seconds; None if not known.
        latency_ms: time to read one face on one thread, in milliseconds.
        history: one row per epoch, as `mien.runs.run.Run.history` returns them.
        epoch: epoch whose weights were kept; None if not known.
        recipe: name of the recipe.
        settings: settings of the recipe, by section and key, such as ``train.lr``.
        drawn: whether mien drew the faces that it was trained on.
    """

    name: str
    evaluation: Evaluation
    crop: CropSpec
    parameters: int
    macs: int | None
    seconds_per_epoch: float | None
    latency_ms: float
    history: Sequence[dict[str, float]]
    epoch: int | None
    recipe: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    drawn: bool = False


@dataclass(frozen=True)
class Pair:
    """Two compared runs and the test of the difference between them.

    Args:
        better: name of the run with the higher accuracy.
        worse: name of the other run.
        only_better: number of images that only the better run reads correctly.
        only_worse: number of images that only the worse run reads correctly.
        p_value: two-sided p-value of McNemar's exact test.
        p_adjusted: p-value adjusted by Holm's method for all pairs of the group.
        difference: accuracy of the better run minus that of the worse one.
        difference_low: low end of the 95% interval of the difference, for this pair alone.
        difference_high: high end of that interval.
    """

    better: str
    worse: str
    only_better: int
    only_worse: int
    p_value: float
    p_adjusted: float
    difference: float
    difference_low: float
    difference_high: float


@dataclass(frozen=True)
class Group:
    """Compared runs that may be ranked together, by accuracy, and the tests between them."""

    runs: tuple[ComparedRun, ...]
    pairs: tuple[Pair, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes that these runs tell apart."""
        return self.runs[0].evaluation.names

    @property
    def measured_on(self) -> str:
        """The images that these runs were measured on, in words."""
        protocol = self.runs[0].evaluation.protocol
        words = f"{protocol.split} split of {protocol.data}, {protocol.images:,} images"
        if protocol.trained_on_split:
            words += ", which they were trained on"
        elif protocol.chosen_on_split:
            words += ", by which the weights were chosen"
        return words


@dataclass(frozen=True)
class Comparison:
    """All compared runs in groups; `why_apart` is empty if there is one group."""

    groups: tuple[Group, ...]
    why_apart: str

    @property
    def runs(self) -> tuple[ComparedRun, ...]:
        """All compared runs, group by group."""
        return tuple(run for group in self.groups for run in group.runs)


def compare(runs: Sequence[ComparedRun]) -> Comparison:
    """Rank runs that were measured on the same images in the same way, and test them in pairs.

    The same images have the same labels and are cropped alike. A score on images that chose the
    weights, or that the network was trained on, is too high, so it is not ranked among scores on
    other images.

    Args:
        runs: runs to compare.

    Raises:
        MienError: if scipy is not installed.
    """
    by_measure: dict[_Measure, list[ComparedRun]] = {}
    for run in runs:
        by_measure.setdefault(_measure_of(run), []).append(run)
    groups = tuple(_rank(members) for members in by_measure.values())
    if len(groups) == 1:
        return Comparison(groups, "")
    reason, mend, differ = _why_apart(list(by_measure))
    measures = "; ".join(
        f"{', '.join(run.name for run in group.runs)}: {differ(group)}" for group in groups
    )
    return Comparison(groups, f"Not ranked together, because {reason} ({measures}). {mend}.")


class _Measure(NamedTuple):
    """What has to be equal for two scores to be comparable."""

    names: tuple[str, ...]
    crop: CropSpec
    split_fingerprint: str
    chosen_on_split: bool
    trained_on_split: bool


def _measure_of(run: ComparedRun) -> _Measure:
    protocol = run.evaluation.protocol
    return _Measure(
        run.evaluation.names,
        run.crop,
        protocol.split_fingerprint,
        protocol.chosen_on_split,
        protocol.trained_on_split,
    )


def _why_apart(measures: Sequence[_Measure]) -> tuple[str, str, Callable[[Group], str]]:
    """Return why groups are not ranked together, a mend, and a function that describes a group."""
    if len({one.names for one in measures}) > 1:
        return (
            "their labels differ",
            "To rank them, train them on the same labels",
            lambda group: describe_labels(group.names),
        )
    if len({one.crop for one in measures}) > 1:
        return (
            "their face crops differ",
            "To rank them, train them on crops of the same size and colours (data.size_px and "
            "data.channels)",
            lambda group: str(group.runs[0].crop),
        )
    if len({one.split_fingerprint for one in measures}) > 1:
        return (
            "their splits contain different images",
            "To rank them, train them on the same data set with the same splits",
            lambda group: group.measured_on,
        )
    return (
        "the same images chose the weights of some of them, or were in their training data",
        "To rank them, compare them on a split that none of them knows, such as test, or train "
        'them with the same train.keep: "best" chooses weights by val, "last" does not',
        lambda group: group.measured_on,
    )


def measure_latency(bundle: Bundle) -> float:
    """Return the median time in which a Bundle reads one face on one thread, in milliseconds."""
    single = Bundle(bundle.path, threads=1)
    face = np.random.default_rng(0).integers(0, 256, (1, *single.crop.shape), np.uint8)
    milliseconds = []
    for _ in range(_READS):
        started = time.perf_counter()
        single.predict(face)
        milliseconds.append(1000 * (time.perf_counter() - started))
    return statistics.median(milliseconds)  # the first reading warms up; a median ignores it


def _rank(members: Sequence[ComparedRun]) -> Group:
    ranked = sorted(members, key=lambda member: -(member.evaluation.accuracy.value or 0))
    outcomes = [
        (better, worse, *mcnemar(better.evaluation.right(), worse.evaluation.right()))
        for better, worse in combinations(ranked, 2)
    ]
    adjusted = holm([p_value for *_, p_value in outcomes])
    pairs = tuple(
        Pair(
            better.name,
            worse.name,
            only_better,
            only_worse,
            p_value,
            p_adjusted,
            *paired_difference(only_better, only_worse, better.evaluation.protocol.images),
        )
        for (better, worse, only_better, only_worse, p_value), p_adjusted in zip(
            outcomes, adjusted, strict=True
        )
    )
    return Group(tuple(ranked), pairs)
