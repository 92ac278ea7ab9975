"""Advice on what to try next: rules of thumb on a report's numbers, which the advice quotes.

Advice is not a finding; `mien compare` shows whether following it has helped.
"""

from __future__ import annotations

import shlex
from typing import Final, NamedTuple

from mien.evaluation.describe import show_score
from mien.reports.commands import train_again
from mien.reports.content import Content

_OVERFITTING: Final = 0.1  # training accuracy minus validation accuracy
_RARE: Final = 0.05  # share of the images, and at most half of an even share
_MISSED: Final = 0.15  # accuracy minus the recall of a class
_MISCALIBRATED: Final = 0.05  # expected calibration error
_LOST: Final = 0.15  # accuracy lost at the middle strength of a change
_OVERLAP: Final = 0.02  # accuracy gained by duplicates

# The recipe setting that varies training images in the way of each change.
_AUGMENTATIONS: Final = {
    "brightness": "augment.brightness=0.3",
    "contrast": "augment.contrast=0.3",
    "eyes covered": "augment.erasing=0.3",
    "mouth covered": "augment.erasing=0.3",
    "rotation": "augment.rotation_degrees=15",
    "shift": "augment.shift=0.1",
}


class Advice(NamedTuple):
    """What to try next.

    Args:
        sentence: the number that suggests it, and what to do.
        command: command that does it, as it can be run; empty if there is none.
    """

    sentence: str
    command: str = ""


def advise(content: Content) -> list[Advice]:
    """Return what to try next; nothing if nothing stands out."""
    if content.run is not None and content.run.record.status == "interrupted":
        done, total = len(content.history), content.run.recipe.train.epochs
        command = shlex.join(["mien", "train", "--resume", str(content.run.path)])
        return [Advice(f"The training stopped after {done} of {total} epochs. Go on:", command)]
    if is_hardly_better_than_guessing(content):
        return _about_a_bad_start(content)
    return [
        *_about_training(content),
        *_about_classes(content),
        *_about_confidence(content),
        *_about_changes(content),
        *_about_duplicates(content),
    ]


def majority_share(content: Content) -> float:
    """Return the accuracy of always guessing the most common label of the evaluated images."""
    assert content.evaluation is not None
    return (
        max(row.images for row in content.evaluation.per_class) / content.evaluation.protocol.images
    )


def is_hardly_better_than_guessing(content: Content) -> bool:
    """Return whether guessing the most common label may be as good, by the interval's low end."""
    low = content.evaluation.accuracy.low if content.evaluation else None
    return low is not None and low <= majority_share(content)


def _again(content: Content, setting: str) -> str:
    """Return the command that trains with a setting; the option alone for a Bundle."""
    if content.run is None:
        return shlex.join(["--set", setting])
    value = setting.partition("=")[0].rpartition(".")[2].replace("_", "-")
    return train_again(content.run, [setting], suffix=value)


def _about_a_bad_start(content: Content) -> list[Advice]:
    run = content.run
    if run is None:
        return [
            Advice(
                "It has not learned these faces. Fine-tune it on them, or check that the classes "
                "and the crops are those that it was trained on."
            )
        ]
    epochs = run.recipe.train.epochs
    faces = run.record.data.split_counts.get("train", 0)
    return [
        Advice(
            f"It has seen {faces:,} training faces, "
            f"{'once' if epochs == 1 else f'{epochs} times'}. Train longer, and on more faces "
            "if you have them; the figures below mean little until then.",
            _again(content, f"train.epochs={max(20, 4 * epochs)}"),
        )
    ]


def _about_training(content: Content) -> list[Advice]:
    if not content.history or content.run is None:
        return []
    last, train = content.history[-1], content.run.recipe.train
    ahead = last["train_accuracy"] - last["val_accuracy"]
    if ahead > _OVERFITTING:
        return [
            Advice(
                f"It overfits: after the last epoch, training accuracy was {ahead:.2f} above "
                "validation accuracy. Try more augmentation, dropout or weight decay, a smaller "
                "network or fewer epochs."
            )
        ]
    best = max(content.history, key=lambda row: row["val_accuracy"])
    if best is last and content.run.record.status == "finished" and len(content.history) > 1:
        return [
            Advice(
                "It was still improving in the last epoch. Train longer.",
                _again(content, f"train.epochs={2 * train.epochs}"),
            )
        ]
    return []


def _about_classes(content: Content) -> list[Advice]:
    evaluation, run = content.evaluation, content.run
    if evaluation is None or evaluation.accuracy.value is None:
        return []
    if run and run.recipe.train.class_weights == "balanced":
        return []
    rare = min(_RARE, 0.5 / len(evaluation.per_class))
    missed = [
        row.emotion
        for row in evaluation.per_class
        if row.recall is not None
        and row.images < rare * evaluation.protocol.images
        and row.recall < evaluation.accuracy.value - _MISSED
    ]
    if not missed:
        return []
    names = " and ".join([", ".join(missed[:-1]), missed[-1]] if missed[1:] else missed)
    are = "are" if missed[1:] else "is"
    return [
        Advice(
            f"It misses {names}, which {are} rare. Balanced class weights find more, at the cost "
            "of other classes.",
            _again(content, "train.class_weights=balanced"),
        )
    ]


def _about_confidence(content: Content) -> list[Advice]:
    evaluation = content.evaluation
    calibrated = content.bundle is not None and bool(content.bundle.metadata.calibration)
    if evaluation is None or evaluation.calibration_error <= _MISCALIBRATED or calibrated:
        return []
    return [
        Advice(
            f"Its confidence is off by {show_score(evaluation.calibration_error)} on average. "
            "Keep training images back to calibrate it.",
            _again(content, "train.calibration_share=0.05"),
        )
    ]


def _about_changes(content: Content) -> list[Advice]:
    robustness = content.robustness
    if robustness is None:
        return []
    settings: dict[str, str] = {}
    for name, values in robustness.accuracy.items():
        setting = _AUGMENTATIONS.get(name.split(" (")[0])
        if setting and robustness.clean - values[len(values) // 2] > _LOST:
            settings.setdefault(setting, name.split(" (")[0])
    return [
        Advice(
            f"It is weak under this change: {change}. Add it to the training images.",
            _again(content, setting),
        )
        for setting, change in settings.items()
    ]


def _about_duplicates(content: Content) -> list[Advice]:
    evaluation = content.evaluation
    if evaluation is None or evaluation.without_overlap is None:
        return []
    whole, rest = evaluation.accuracy.value, evaluation.without_overlap.accuracy.value
    if whole is None or rest is None or whole - rest <= _OVERLAP:
        return []
    paths = content.run.record.data.paths if content.run else ("PATH",)
    return [
        Advice(
            f"Duplicates of training images raise its accuracy by {whole - rest:.3f}. Train on a "
            "copy of the data set without them.",
            shlex.join(["mien", "data", "clean", *paths, "--out", "cleaned"]),
        )
    ]
