"""Advice on what to try next: rules of thumb on a report's numbers, which the advice quotes.

Advice is not a finding; `mien compare` shows whether following it has helped.
"""

from __future__ import annotations

from typing import Final

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


def advise(content: Content) -> list[str]:
    """Return what to try next, one sentence each; none if nothing stands out."""
    return [
        *_about_training(content),
        *_about_classes(content),
        *_about_confidence(content),
        *_about_changes(content),
        *_about_duplicates(content),
    ]


def _about_training(content: Content) -> list[str]:
    if not content.history or content.run is None:
        return []
    last, train = content.history[-1], content.run.recipe.train
    ahead = last["train_accuracy"] - last["val_accuracy"]
    if ahead > _OVERFITTING:
        return [
            f"It overfits: after the last epoch, training accuracy was {ahead:.2f} above "
            "validation accuracy. Try more augmentation, dropout or weight decay, a smaller "
            "network or fewer epochs."
        ]
    best = max(content.history, key=lambda row: row["val_accuracy"])
    if best is last and content.run.record.status == "finished" and len(content.history) > 1:
        return [
            f"It was still improving in the last epoch. Try --set train.epochs={2 * train.epochs}."
        ]
    return []


def _about_classes(content: Content) -> list[str]:
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
    return [
        f"It misses {name}, which is rare. --set train.class_weights=balanced finds more of "
        "it, at the cost of other classes."
        for name in missed
    ]


def _about_confidence(content: Content) -> list[str]:
    evaluation = content.evaluation
    calibrated = content.bundle is not None and bool(content.bundle.metadata.calibration)
    if evaluation is None or evaluation.calibration_error <= _MISCALIBRATED or calibrated:
        return []
    return [
        f"Its confidence is off by {evaluation.calibration_error:.2f} on average. --set "
        "train.calibration_share=0.05 keeps training images back to calibrate it."
    ]


def _about_changes(content: Content) -> list[str]:
    robustness = content.robustness
    if robustness is None:
        return []
    settings: dict[str, str] = {}
    for name, values in robustness.accuracy.items():
        setting = _AUGMENTATIONS.get(name.split(" (")[0])
        if setting and robustness.clean - values[len(values) // 2] > _LOST:
            settings.setdefault(setting, name.split(" (")[0])
    return [
        f"It is weak under this change: {change}. --set {setting} adds it to the training images."
        for setting, change in settings.items()
    ]


def _about_duplicates(content: Content) -> list[str]:
    evaluation = content.evaluation
    if evaluation is None or evaluation.without_overlap is None:
        return []
    whole, rest = evaluation.accuracy.value, evaluation.without_overlap.accuracy.value
    if whole is None or rest is None or whole - rest <= _OVERLAP:
        return []
    return [
        f"Duplicates of training images raise its accuracy by {whole - rest:.3f}. mien data clean "
        "writes a copy of the data set without them."
    ]
