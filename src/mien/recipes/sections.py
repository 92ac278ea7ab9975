"""The sections of a recipe: every setting that decides what a training does, with its unit.

An unknown key is an error, so a misspelt setting cannot be silently ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1, le=100_000)]
Margin = Annotated[float, Field(gt=-0.5, le=1)]
Branched = Annotated[int, Field(ge=8, le=100_000)]  # an eighth of it is the narrowest branch
Dropout = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


# Of a smaller alpha, Gamma variates are too small for float32.
_LEAST_MIXUP: Final = 0.05


class Section(BaseModel):
    """A part of a recipe: what it does not know is an error, and nothing changes it."""

    # A string below a field is its documentation (`Section.model_fields[name].description`).
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


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
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    keep_duplicates_together: bool = False
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        if self.fractions is not None and self.validation_share:
            raise ValueError(
                "fractions pools all images, so nothing is held out; set validation_share to 0"
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
    squeeze: bool = False
    """Whether each residual pair weights its channels by squeeze-and-excitation."""
    branches: bool = False
    """Whether each 3×3 convolution has a 1×1 branch and an identity branch beside it (RepVGG)."""

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
    """Random changes to each training image, drawn anew in each epoch; all off by default."""

    enabled: bool = True
    """Whether images are changed at all; false turns everything below off."""
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Largest rotation, in degrees, in either direction."""
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest change of the scale of the face, as a share, larger or smaller."""
    crop_margin: tuple[Margin, Margin] = (0.0, 0.0)
    """Range of the margin that the crop gains on the side of its square, as a share of that side:
    [-0.1, 0.35] draws crops from 10% tighter to 35% wider than the data set's, as face detectors
    make them."""
    shift: Fraction = 0.0
    """Largest shift along each axis, as a share of the side of the image."""
    shear_degrees: Annotated[float, Field(ge=0, lt=90)] = 0.0
    """Largest horizontal shear, in degrees, in either direction."""
    flip: bool = False
    """Whether every second image, drawn by chance, is mirrored."""
    brightness: Fraction = 0.0
    """Largest change of the brightness, as a share; a network that standardises does not see it."""
    contrast: Fraction = 0.0
    """Largest change of the contrast about the image's mean, as a share; likewise."""
    gamma: Annotated[float, Field(ge=0, le=4)] = 0.0
    """Largest gamma less 1: gray levels are raised to a power from 1 / (1 + gamma) to 1 + gamma."""
    corruption: Fraction = 0.0
    """Share of the images of each batch that are corrupted in one of the four ways below."""
    blur_px: Annotated[float, Field(ge=0, le=8)] = 2.0
    """Largest standard deviation of a Gaussian blur, in pixels; 0 leaves blur out."""
    noise_levels: Annotated[float, Field(ge=0, le=128)] = 25.0
    """Largest standard deviation of Gaussian noise, in gray levels of 255; 0 leaves noise out."""
    jpeg_quality: Annotated[int, Field(ge=0, le=80)] = 20
    """Lowest JPEG quality, up to 80; 0 leaves JPEG out."""
    low_resolution_px: Annotated[int, Field(ge=0, le=48)] = 16
    """Smallest side that an image is reduced to and enlarged from, up to twice that; 0 leaves low
    resolution out."""
    erasing: Fraction = 0.0
    """Probability that a rectangle of the image is covered in gray."""
    fill: Literal["reflect", "edge", "zeros"] = "reflect"
    """What fills the places that a geometric change leaves empty."""
    crop_px: Annotated[int, Field(ge=16, le=48)] = 48
    """Side of the centre crop that the network is trained on, in pixels."""
    mixup: Annotated[float, Field(ge=0, le=8)] = 0.0
    """Parameter alpha of mixup: each image, and its target, is blended with another one's by a
    share drawn from Beta(alpha, alpha); 0 is off, else 0.05 at least."""

    @model_validator(mode="after")
    def _a_range_of_margins(self) -> Self:
        low, high = self.crop_margin
        if low > high:
            raise ValueError(f"crop_margin = [{low}, {high}]: expected the smaller margin first")
        return self

    @model_validator(mode="after")
    def _corruption_of_some_kind(self) -> Self:
        kinds = (self.blur_px, self.noise_levels, self.jpeg_quality, self.low_resolution_px)
        if self.corruption and not any(kinds):
            raise ValueError(
                "corruption has nothing to do: blur_px, noise_levels, jpeg_quality and "
                "low_resolution_px are all 0; set one of them, or corruption to 0"
            )
        return self

    @model_validator(mode="after")
    def _mixup_in_float32(self) -> Self:
        if 0 < self.mixup < _LEAST_MIXUP:
            raise ValueError(f"mixup = {self.mixup}: expected 0, or {_LEAST_MIXUP} at least")
        return self


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
    views: Annotated[int, Field(ge=0, le=1000)] = 0
    """Number of augmented views of the data set that are drawn and kept with the teachers'
    probabilities, to be learnt from in turn, an epoch each; 0 draws and asks anew in each epoch."""


class CalibrationSection(Section):
    """How the answer is calibrated on the images that `train.calibration_share` keeps back."""

    prior: Fraction = 0.0
    """Share of the logarithm of the class shares of the training images that is taken out of the
    logits: data sets have their own shares of the classes, which are not the world's."""


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
    votes_in_target: Fraction = 0.0
    """Share of the FER+ votes for the seven emotions, as a distribution, in the target of each
    image that has any; the label has the rest."""
    votes_in_answer: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the layer that has learnt the FER+ votes in the probabilities that the network
    gives; the layer that has learnt the labels has the rest. Needs votes_weight."""
    mirror_consistency: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Weight of the symmetric Kullback-Leibler divergence between the probabilities of an image and
    of its mirror image; above 0 both pass through the network, at twice the cost."""
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
    deterministic: bool = True
    """Whether a GPU uses only algorithms that give the same result each time, which a resumed run
    needs to end in the same weights; false lets cuDNN choose the fastest."""
    compile: bool = False
    """Whether torch.compile compiles the network before training: worth its minute or two on a GPU
    and in long trainings."""
    seed: Seed = 0

    @model_validator(mode="after")
    def _an_answer_of_votes_needs_their_layer(self) -> Self:
        if self.votes_in_answer and not self.votes_weight:
            raise ValueError(
                "votes_in_answer takes the layer that learns the FER+ votes; set votes_weight to "
                "1, or votes_in_answer to 0"
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
