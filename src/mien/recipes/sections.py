"""The sections of a recipe: every setting of a training, with its default and its unit.

An unknown key is an error, so a misspelled setting cannot be ignored silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from mien.errors import DataError
from mien.images.crop import MAX_SIZE_PX, MIN_SIZE_PX, CropSpec
from mien.io.files import NO_PATH, is_path
from mien.labels import parse_label_set

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1, le=100_000)]
Margin = Annotated[float, Field(gt=-0.5, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def _refuse_no_path(text: str) -> str:
    if not is_path(text):
        raise ValueError(NO_PATH)
    return text


PathText = Annotated[str, AfterValidator(_refuse_no_path)]

DEFAULT_FAMILY: Final = "stacked"

# Of a smaller alpha, Gamma variates are too small for float32.
_LEAST_MIXUP: Final = 0.05


class Section(BaseModel):
    """A part of a recipe: it is immutable, and an unknown key is an error."""

    # The string below a field is its documentation (`mien.recipes.documentation`).
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SourceSection(Section):
    """The source of a recipe, and the deviations from it."""

    title: str = ""
    """Title of the source."""
    address: str = ""
    """Address of the source."""
    reported: dict[str, float] = {}
    """Scores that the source reports, by name."""
    deviations: tuple[str, ...] = ()
    """Deviations from the source, one sentence each."""


class LabelsTable(Section):
    """A label set of one's own, with spellings and numbers that the files use."""

    names: tuple[str, ...] = ()
    """Names of the classes, in order; by default those of the numbering."""
    aliases: dict[str, str] = {}
    """Other spellings in the files, each with the name that it stands for."""
    numbering: dict[str, str] | None = None
    """Number of each class in the files, with its name; by default 0, 1, 2 and so on."""


class DataSection(Section):
    """The labels, crops and splits of the data; by default the splits of the files are kept.

    The keys but ``targets`` are options of `mien.load_dataset`.
    """

    labels: str | tuple[str, ...] | LabelsTable | None = None
    """Classes of the data: ``fer2013``, ``ferplus``, ``rafdb``, ``affectnet7``, ``affectnet8``,
    ``ckplus``, ``auto`` for the names that the files use, a list of names, or a table with
    ``names``, ``aliases`` and ``numbering``; by default the files have to name FER-2013's emotions.
    ``ferplus`` takes the majority of the FER+ votes, if there are votes."""
    targets: Literal["labels", "votes"] = "labels"
    """Targets of the training: the labels, or the FER+ votes for them as a distribution."""
    size_px: Annotated[int, Field(ge=MIN_SIZE_PX, le=MAX_SIZE_PX)] = CropSpec.size_px
    """Side of the face crops, in pixels."""
    channels: Literal[1, 3] = 1
    """Channels of the face crops: 1 for gray, 3 for colour."""

    fractions: tuple[Fraction, Fraction, Fraction] | None = None
    """Shares of train, val and test by which all images are split afresh, stratified by class; by
    default the files' own splits are kept."""
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the files' train split that becomes val; their own val and test are then test."""
    keep_duplicates_together: bool = False
    """Whether exact and near duplicates stay in one split when images are split."""
    seed: Seed = 0
    """Seed of the random splits."""

    @field_validator("labels", mode="before")  # before pydantic reports every kind of value
    @classmethod
    def _a_label_set(cls, labels: Any) -> Any:
        try:
            chosen = parse_label_set(_plain(labels))
        except DataError as error:
            _, _, reason = str(error).partition(": ")  # the key is named already
            raise ValueError(reason) from None
        if chosen is None or isinstance(labels, str | Mapping | LabelsTable):
            return labels
        return chosen.names

    @property
    def crop(self) -> CropSpec:
        """Size and channels of the face crops."""
        return CropSpec(self.size_px, self.channels)

    def load_options(self) -> dict[str, Any]:
        """Return the options of `mien.load_dataset` that the section describes."""
        plain = self.model_dump(exclude={"targets", "labels"})
        return {**plain, "labels": _plain(self.labels)}

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        if self.fractions is not None and self.validation_share:
            raise ValueError(
                "fractions splits all images afresh, which leaves no train split to take val from; "
                "set validation_share to 0"
            )
        return self


def _plain(labels: Any) -> Any:
    return labels.model_dump() if isinstance(labels, LabelsTable) else labels


class ModelSection(Section):
    """Settings that every network family has: its input, and the layers that end in logits.

    A family's own section is in the module of its network, in `mien.models.families`.
    """

    family: str = DEFAULT_FAMILY
    """Name of the network family."""
    normalization: Literal["unit", "standardize", "imagenet"] = "unit"
    """Normalization of the input: gray levels as fractions, each image to mean 0 and std 1, or RGB
    with the channel means and stds of ImageNet."""
    dense: tuple[Positive, ...] = (128,)
    """Widths of the dense layers between the features and the logits."""
    dense_batch_norm: bool = True
    """Whether each dense layer is followed by batch normalization."""
    dropout: Dropout = 0.5
    """Dropout probability after each dense layer, or before the logits if there is none."""
    initialization: Literal["kaiming", "keras"] = "kaiming"
    """Initialization of the weights: He et al., 2015, or the defaults of Keras."""
    weights: PathText = "none"
    """Weights that training starts from: a run or its ``model.safetensors``, a name of published
    weights that the family knows, or ``none``. For other classes the last layer starts anew."""
    architecture: Literal["recipe", "weights"] = "recipe"
    """Source of the family and its settings: this recipe, or the recipe of the weights, which then
    are those of a run or of a model that comes with mien."""


class AugmentSection(Section):
    """Random changes to each training image, drawn again in each epoch; all are off by default."""

    enabled: bool = True
    """Whether images are changed at all; false turns all other settings of this section off."""
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Largest rotation, in degrees, in either direction."""
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest change of the scale of the face, as a share, larger or smaller."""
    crop_margin: tuple[Margin, Margin] = (0.0, 0.0)
    """Range of the change of the crop's side, as a share of the side: [-0.1, 0.35] draws crops from
    10% tighter to 35% wider than the data set's, as face detectors make them."""
    shift: Fraction = 0.0
    """Largest shift along each axis, as a share of the side of the image."""
    shear_degrees: Annotated[float, Field(ge=0, lt=90)] = 0.0
    """Largest horizontal shear, in degrees, in either direction."""
    flip: bool = False
    """Whether half of the images, drawn at random, are mirrored left to right."""
    brightness: Fraction = 0.0
    """Largest change of the brightness, as a share; it has no effect with normalization
    standardize."""
    contrast: Fraction = 0.0
    """Largest change of the contrast about the image's mean, as a share; it has no effect with
    normalization standardize."""
    gamma: Annotated[float, Field(ge=0, le=4)] = 0.0
    """Largest gamma minus 1: gray levels are raised to a power from 1 / (1 + gamma) to 1 +
    gamma."""
    corruption: Fraction = 0.0
    """Share of the images of each batch that are corrupted in one of the four ways below."""
    blur_px: Annotated[float, Field(ge=0, le=8)] = 2.0
    """Largest std of a Gaussian blur, in pixels; 0 leaves blur out."""
    noise_levels: Annotated[float, Field(ge=0, le=128)] = 25.0
    """Largest std of Gaussian noise, in gray levels (0 to 255); 0 leaves noise out."""
    jpeg_quality: Annotated[int, Field(ge=0, le=80)] = 20
    """Lowest JPEG quality; qualities are drawn from it up to 80; 0 leaves JPEG out."""
    low_resolution_px: Annotated[int, Field(ge=0, le=MAX_SIZE_PX)] = 16
    """Smallest side to which an image is reduced before it is enlarged again; sides are drawn from
    it up to twice that; 0 leaves low resolution out."""
    erasing: Fraction = 0.0
    """Probability that a rectangle of the image is covered in gray."""
    fill: Literal["reflect", "edge", "zeros"] = "reflect"
    """Fill of the areas that a geometric change leaves empty."""
    crop_px: Annotated[int, Field(ge=16, le=MAX_SIZE_PX)] | None = None
    """Side of the centre square that the network is trained on, in pixels; by default the whole
    crop."""
    mixup: Annotated[float, Field(ge=0, le=8)] = 0.0
    """Parameter alpha of mixup: each image, and its target, is blended with those of another image
    by a share drawn from Beta(alpha, alpha); 0 is off, other values start at 0.05."""

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
            raise ValueError(f"mixup = {self.mixup}: expected 0, or at least {_LEAST_MIXUP}")
        return self


class DistillSection(Section):
    """Teachers whose probabilities are learned in addition to the labels; none by default."""

    teachers: tuple[PathText, ...] = ()
    """Run directories of the teachers, which were trained on the same data."""
    in_turn: bool = False
    """Whether each image is read by one teacher alone, all of them equally often: on average the
    student learns the same, at the cost of one teacher."""
    weight: Fraction = 0.7
    """Share of the teachers in the loss; the labels make up the rest."""
    temperature: Annotated[float, Field(gt=0, le=100)] = 3.0
    """Temperature that softens the probabilities of teachers and student."""
    views: Annotated[int, Field(ge=0, le=1000)] = 0
    """Number of augmented versions of the data set that are drawn once and kept with the teachers'
    probabilities, one for each epoch in turn; 0 draws new versions, which the teachers read, in
    each epoch."""


class CalibrationSection(Section):
    """The calibration of the answer, on the images that `train.calibration_share` keeps back."""

    prior: Fraction = 0.0
    """Share of the log class shares of the training images that is subtracted from the logits: the
    class shares of a data set are not those of the world."""


class TrainSection(Section):
    """The fit of the network, and the choice of the checkpoint that is kept."""

    epochs: Positive = 15
    """Number of epochs."""
    batch_size: Annotated[int, Field(ge=2)] = 64
    """Number of images in each batch."""
    optimizer: Literal["sgd", "adam", "adamw"] = "adam"
    """Optimizer; sgd uses Nesterov momentum."""
    lr: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate: the highest value of the schedule."""
    momentum: Fraction = 0.9
    """Momentum of sgd."""
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    """Epsilon of adam and adamw."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay of kernels; biases and normalization are not decayed."""
    schedule: Literal["constant", "cosine", "one-cycle", "plateau"] = "constant"
    """Learning rate schedule."""
    warmup: Fraction = 0.0
    """Share of the steps in which the rate rises: linearly for cosine, along half a cosine for
    one-cycle, which takes 0.3 if this is 0."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Factor by which plateau lowers the rate."""
    plateau_patience: Positive = 3
    """Number of epochs without a lower validation loss after which plateau lowers the rate."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Label smoothing of the cross-entropy."""
    votes_weight: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Weight of the cross-entropy of a second layer that learns the FER+ votes; 0 leaves it out."""
    votes_in_target: Fraction = 0.0
    """Share of the FER+ votes for the classes, as a distribution, in the target of each
    image that has any; the label makes up the rest."""
    votes_in_answer: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the votes' layer in the probabilities of the trained network; the layer that learned
    the labels makes up the rest. Needs votes_weight."""
    mirror_consistency: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Weight of the symmetric Kullback-Leibler divergence between the probabilities of an image and
    of its mirror image; above 0 both pass through the network, at twice the cost."""
    calibration_share: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of the train split that is kept back from fitting, for calibration; 0 calibrates
    nothing."""
    calibration_optional: bool = False
    """Whether a data set with too few images for calibration is trained without it, and without a
    face gate, instead of being refused."""
    face_gate: bool = False
    """Whether a gate is fitted that lowers the confidence on images without a face. Needs
    calibration_share."""
    class_weights: Literal["none", "balanced"] = "none"
    """Class weights of the loss; balanced gives every class the same total weight."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the exponential moving average of the weights, which is validated and kept instead
    of the last weights; 0 averages nothing."""
    frozen_epochs: Annotated[int, Field(ge=0)] = 0
    """Number of first epochs in which the backbone is frozen and only the head is trained."""
    unfrozen_lr: Annotated[float, Field(gt=0)] = 1e-5
    """Learning rate after the frozen epochs."""
    early_stopping_patience: Annotated[int, Field(ge=0)] = 0
    """Number of epochs without a better monitored figure after which training stops; 0 trains all
    epochs."""
    keep: Literal["best", "last"] = "best"
    """Checkpoint that is kept: the best by the monitored figure, or the last."""
    monitor: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    """Figure that decides the best checkpoint and early stopping."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of training; auto takes bf16 if the processor supports it."""
    deterministic: bool = True
    """Whether a GPU uses only algorithms that give the same result each time, which a resumed run
    needs to end in the same weights; false lets cuDNN choose the fastest."""
    sync_batch_norm: bool = False
    """Whether batch normalization takes its statistics over the batch of all processes, which needs
    GPUs; otherwise each process uses those of its part of the batch."""
    compile: bool = False
    """Whether torch.compile compiles the network before training: this takes a minute or two, and
    pays off on a GPU and in long trainings."""
    seed: Seed = 0
    """Seed of the initial weights, the order of the images and the augmentation."""

    @model_validator(mode="after")
    def _an_answer_of_votes_needs_their_layer(self) -> Self:
        if self.votes_in_answer and not self.votes_weight:
            raise ValueError(
                "votes_in_answer needs the layer that learns the FER+ votes; set votes_weight to "
                "1, or votes_in_answer to 0"
            )
        return self

    @model_validator(mode="after")
    def _two_phases_have_two_rates(self) -> Self:
        if self.frozen_epochs >= self.epochs:
            raise ValueError(
                f"frozen_epochs = {self.frozen_epochs} of {self.epochs} epochs leaves no epoch "
                f"that trains the whole network; give more epochs, or freeze fewer"
            )
        if self.frozen_epochs and self.schedule not in ("constant", "plateau"):
            raise ValueError(
                f"frozen_epochs and unfrozen_lr set the rate themselves; schedule {self.schedule} "
                "would overrule them; set schedule to constant or plateau"
            )
        return self
