"""What to try next, by what was measured: a few rules, each with the figures that it goes by.

They are habits of the field, not findings; `mien compare` says whether one paid.
"""

from __future__ import annotations

from typing import Final

from mien.reports.report_content import Content

_BY_HEART: Final = 0.1  # by which accuracy on train is ahead of val
_RARE: Final = 0.05  # of the images
_MISSED: Final = 0.15  # by which an emotion's recall is behind accuracy
_UNTRUSTED: Final = 0.05  # calibration error
_LOST: Final = 0.15  # of accuracy, at the middle strength of a change
_FLATTERED: Final = 0.02  # of accuracy, by duplicates

# The setting that shows a network the change in training, where there is one.
_AUGMENTATIONS: Final = {
    "brightness": "augment.brightness=0.3",
    "contrast": "augment.contrast=0.3",
    "eyes covered": "augment.erasing=0.3",
    "mouth covered": "augment.erasing=0.3",
    "rotation": "augment.rotation_degrees=15",
    "shift": "augment.shift=0.1",
}


def advise(content: Content) -> list[str]:
    """Return what to try next, a sentence each; none where nothing stands out."""
    return [
        *_about_training(content),
        *_about_emotions(content),
        *_about_confidence(content),
        *_about_changes(content),
        *_about_duplicates(content),
    ]


def _about_training(content: Content) -> list[str]:
    if not content.history or content.run is None:
        return []
    last, train = content.history[-1], content.run.recipe.train
    ahead = last["train_accuracy"] - last["val_accuracy"]
    if ahead > _BY_HEART:
        return [
            f"It learns by heart: at the end accuracy on train was {ahead:.2f} above val. More "
            "augmentation, dropout or weight decay, a smaller network or fewer epochs."
        ]
    best = max(content.history, key=lambda row: row["val_accuracy"])
    if best is last and content.run.record.status == "finished" and len(content.history) > 1:
        return [
            f"It was still getting better in the last epoch: --set train.epochs={2 * train.epochs}."
        ]
    return []


def _about_emotions(content: Content) -> list[str]:
    evaluation, run = content.evaluation, content.run
    if evaluation is None or evaluation.accuracy.value is None:
        return []
    if run and run.recipe.train.class_weights == "balanced":
        return []
    missed = [
        row.emotion
        for row in evaluation.per_class
        if row.recall is not None
        and row.images < _RARE * evaluation.protocol.images
        and row.recall < evaluation.accuracy.value - _MISSED
    ]
    return [
        f"It overlooks {emotion}, which is rare: --set train.class_weights=balanced finds more of "
        "it, at the cost of other emotions."
        for emotion in missed
    ]


def _about_confidence(content: Content) -> list[str]:
    evaluation = content.evaluation
    calibrated = content.bundle is not None and bool(content.bundle.metadata.calibration)
    if evaluation is None or evaluation.calibration_error <= _UNTRUSTED or calibrated:
        return []
    return [
        f"Its confidence is off by {evaluation.calibration_error:.2f} on average: --set "
        "train.calibration_share=0.05 keeps images back to set it right."
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
        f"Weak spot: {change}. --set {setting} shows it such faces."
        for setting, change in settings.items()
    ]


def _about_duplicates(content: Content) -> list[str]:
    evaluation = content.evaluation
    if evaluation is None or evaluation.without_overlap is None:
        return []
    whole, rest = evaluation.accuracy.value, evaluation.without_overlap.accuracy.value
    if whole is None or rest is None or whole - rest <= _FLATTERED:
        return []
    return [
        f"Duplicates of training images lift its accuracy by {whole - rest:.3f}: mien data clean "
        "makes a copy of the data without them."
    ]
