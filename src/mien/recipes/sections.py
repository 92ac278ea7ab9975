"""The sections of a recipe: every setting that decides what a training does, with its unit.

An unknown key is an error, so a misspelt setting cannot be silently ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1, le=100_000)]
Branched = Annotated[int, Field(ge=8, le=100_000)]  # an eighth of it is the narrowest branch
Dropout = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Section(BaseModel):
    """A part of a recipe: what it does not know is an error, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SourceSection(Section):
    """Where a recipe comes from, and how ours differs from it."""

    title: str = ""
    address: str = ""
    reported: dict[str, float] = {}
    deviations: tuple[str, ...] = ()


class DataSection(Section):
    """How the images are split when the files' own splits are not to be kept.

    The keys are options of `mien.load_dataset`, which says what each does.
    """

    fractions: tuple[Fraction, Fraction, Fraction] | None = None
    hold_out: Annotated[float, Field(ge=0, lt=1)] = 0.0
    keep_twins_together: bool = False
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        if self.fractions is not None and self.hold_out:
            raise ValueError(
                "fractions pools all images, so nothing is held out; set hold_out to 0"
            )
        return self


class _ModelSection(Section):
    """What every family has: its input, and the dense layers between features and logits."""

    normalization: Literal["unit", "standardize", "imagenet"] = "unit"
    dense: tuple[Positive, ...] = (128,)
    dense_batch_norm: bool = True
    dropout: Dropout = 0.5
    initialization: Literal["kaiming", "keras"] = "kaiming"


class StackedModel(_ModelSection):
    """A stack of convolution stages, each ended by max-pooling, and dense layers on top.

    ``stages`` cuts ``channels`` to so many, or repeats the last of them.
    """

    family: Literal["stacked"] = "stacked"
    channels: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=5)] = (32, 64, 128)
    stages: Annotated[int, Field(ge=1, le=5)] | None = None
    convs_per_stage: Positive = 1
    kernel_px: Literal[1, 3, 5, 7] = 3
    batch_norm: bool = True
    conv_dropout: Dropout = 0.0
    head: Literal["flatten", "average"] = "flatten"

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """The channels of each stage."""
        stages = self.stages or len(self.channels)
        return (*self.channels, *[self.channels[-1]] * stages)[:stages]


class InceptionModel(_ModelSection):
    """A convolution stem, then stages of inception blocks, each but the last max-pooled."""

    family: Literal["inception"]
    stem: Positive = 64
    channels: Annotated[tuple[Branched, ...], Field(min_length=1, max_length=4)] = (128, 256, 384)
    blocks_per_stage: Positive = 1


class DenseNetModel(_ModelSection):
    """DenseNet169 with dense layers on top.

    ``weights``: ``imagenet`` for those of timm/densenet169.tv_in1k, the path of a file in that
    layout, or ``none``.
    """

    family: Literal["densenet"]
    weights: str = "none"

    @model_validator(mode="after")
    def _published_weights_take_rgb(self) -> Self:
        if self.weights != "none" and self.normalization != "imagenet":
            raise ValueError(
                "published weights take RGB as ImageNet was normalised; set model.normalization to "
                "imagenet, or model.weights to none"
            )
        return self


class MienNetModel(_ModelSection):
    """3×3 convolutions with residual pairs, for 48×48 faces (see `mien.models.mien_net`).

    ``blocks`` has the number of residual pairs of each stage, as ``channels`` has its width.
    ``pooled_stem``: the map is halved before the first stage, for a quarter of the cost.
    ``input_px``: it reads the middle so many pixels of a face crop.
    ``weights``: ``mien-s`` for those that come with mien, the ``model.safetensors`` of a run with
    this network, or ``none``.
    """

    family: Literal["mien_net"]
    normalization: Literal["unit", "standardize", "imagenet"] = "standardize"
    stem: Positive = 24
    pooled_stem: bool = True
    channels: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=4)] = (48, 96, 192)
    blocks: Annotated[tuple[Annotated[int, Field(ge=0, le=100)], ...], Field(min_length=1)] = (
        1,
        1,
        1,
    )
    dense: tuple[Positive, ...] = ()
    dropout: Dropout = 0.2
    input_px: Annotated[int, Field(ge=16, le=48)] = 48
    weights: str = "none"

    @model_validator(mode="after")
    def _one_number_of_blocks_a_stage(self) -> Self:
        if len(self.blocks) != len(self.channels):
            raise ValueError(
                f"blocks has {len(self.blocks)} numbers and channels {len(self.channels)}; "
                "give one of each a stage"
            )
        return self


def family_of(section: Any) -> str:
    """Return the family that a [model] names, as plain data or as a section."""
    named = (
        section.get("family") if isinstance(section, Mapping) else getattr(section, "family", None)
    )
    return str(named or "stacked")


ModelSection = StackedModel | InceptionModel | DenseNetModel | MienNetModel
MODELS: Final[dict[str, type[_ModelSection]]] = {
    "stacked": StackedModel,
    "inception": InceptionModel,
    "densenet": DenseNetModel,
    "mien_net": MienNetModel,
}


class AugmentSection(Section):
    """Random changes to each training image, in each epoch anew; all off by default."""

    enabled: bool = True
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    shift: Fraction = 0.0
    shear_degrees: Annotated[float, Field(ge=0, lt=90)] = 0.0
    flip: bool = False
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0
    erasing: Fraction = 0.0
    fill: Literal["reflect", "edge", "zeros"] = "reflect"
    crop_px: Annotated[int, Field(ge=16, le=48)] = 48


class DistillSection(Section):
    """Teachers whose probabilities are learnt beside the labels; none by default.

    ``teachers`` are run directories, trained on the same data; ``weight`` is their share of the
    loss, ``temperature`` softens what they say. With ``in_turn`` each image asks one of them, all
    as often: what is learnt is the same on average, at the cost of one teacher.
    """

    teachers: tuple[str, ...] = ()
    in_turn: bool = False
    weight: Fraction = 0.7
    temperature: Annotated[float, Field(gt=0, le=100)] = 3.0


class TrainSection(Section):
    """How the network is fitted and which of its checkpoints is kept."""

    epochs: Positive = 15
    batch_size: Annotated[int, Field(ge=2)] = 64
    optimizer: Literal["sgd", "adam", "adamw"] = "adam"
    lr: Annotated[float, Field(gt=0)] = 1e-3
    momentum: Fraction = 0.9
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["constant", "cosine", "one-cycle", "plateau"] = "constant"
    warmup: Fraction = 0.0
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    plateau_patience: Positive = 3
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    votes_weight: Annotated[float, Field(ge=0, le=100)] = 0.0
    calibration_share: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    face_gate: bool = False
    class_weights: Literal["none", "balanced"] = "none"
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    frozen_epochs: Annotated[int, Field(ge=0)] = 0
    unfrozen_lr: Annotated[float, Field(gt=0)] = 1e-5
    early_stopping_patience: Annotated[int, Field(ge=0)] = 0
    keep: Literal["best", "last"] = "best"
    monitor: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    seed: Seed = 0

    @model_validator(mode="after")
    def _a_gate_needs_a_threshold(self) -> Self:
        if self.face_gate and not self.calibration_share:
            raise ValueError(
                "face_gate is measured, and the threshold below which readings are uncertain set "
                "with it, on images kept back from training; set calibration_share to 0.05, or "
                "face_gate to false"
            )
        return self

    @model_validator(mode="after")
    def _two_phases_have_two_rates(self) -> Self:
        if self.frozen_epochs >= self.epochs:
            raise ValueError(
                f"frozen_epochs = {self.frozen_epochs} of {self.epochs} epochs leaves none that "
                "trains the whole network; give more epochs, or freeze fewer"
            )
        if self.frozen_epochs and self.schedule not in ("constant", "plateau"):
            raise ValueError(
                f"frozen_epochs and unfrozen_lr set the rate themselves; schedule {self.schedule} "
                "would overrule them, use constant or plateau"
            )
        return self
