"""Bundle metadata: everything that a Bundle says about itself, typed.

The metadata lie in the ONNX file as one property per field, each value as JSON. Bundles that mien
0.1 wrote (``mien_format`` 1) are translated when they are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from mien.bundle.scores import NO_TTA, Record, ScoreSummary
from mien.errors import DataError
from mien.images.crop import CropSpec
from mien.io.names import Name, is_text
from mien.io.nesting import each_value
from mien.labels import FER2013, named_labels

FORMAT: Final = 2
_WITHOUT_PATHS: Final = ("labels", "note", "licence")  # names of files need not be UTF-8

# Recipe keys of [data] that mien 0.1 wrote under other names.
_DATA_KEYS_OF_FORMAT_1: Final = {
    "hold_out": "validation_share",
    "keep_twins_together": "keep_duplicates_together",
}


class Calibration(Record):
    """The map from logits to probabilities, and its scores on images that it was not fitted on."""

    images: int
    """Number of images that the calibration was fitted on; none of them was trained on."""
    matrix: tuple[tuple[float, ...], ...]
    """Matrix applied to the label logits, ``logits @ matrix + bias``. Shape: (classes, classes)."""
    bias: tuple[float, ...]
    """Bias added to the product. Shape: (classes,)."""
    mapped: bool = False
    """Whether matrix and bias were fitted before, on all of these images; only the following
    figures are then estimated by cross-fitting."""
    votes_share: float = 0.0
    """Share of the votes' layer in the probabilities; 0 if there is none."""
    prior_share: float = 0.0
    """Share of the log class shares of the training images that is subtracted from the logits."""
    offset: tuple[float, ...] = ()
    """Class offsets added to the log of the mixed probabilities, which remove the prior; if no
    votes are mixed in, the bias contains them. Shape: (classes,)."""
    temperature: float = 1.0
    """Temperature that divides the logits last; 1 if the matrix contains it."""
    uncertain_below: float
    """Highest probability below which a reading is called uncertain."""
    target_accuracy: float
    """Accuracy that the answered images were to reach."""
    error_before: float
    """Expected calibration error (15 bins) of the uncalibrated logits."""
    error_after: float
    """Expected calibration error (15 bins) with calibration and face gate, cross-fitted."""
    accuracy: float
    """Accuracy on all of these images, cross-fitted."""
    answered_accuracy: float | None
    """Accuracy on the images that are answered, cross-fitted; None if none is."""
    coverage: float
    """Share of the images that are answered, cross-fitted."""


class FaceGate(Record):
    """A gate on the features that lowers the confidence on non-faces, and its measured effect."""

    weight: tuple[float, ...]
    """Weights that multiply the features. Shape: (features,)."""
    bias: float
    """Bias that is added before the sigmoid."""
    faces: int
    """Number of faces that the gate was fitted on, each unchanged and augmented."""
    non_faces: int
    """Number of drawn non-faces that the gate was fitted on."""
    faces_open: float
    """Share of other faces for which the gate is open by more than a half."""
    non_faces_open: float
    """Share of other non-faces for which the gate is open by more than a half."""


class CropRecord(Record):
    """The size and the channels of face crops (see `mien.images.crop.CropSpec`)."""

    size_px: int = CropSpec.size_px
    """Side of the crops, in pixels."""
    channels: Literal[1, 3] = 1
    """Channels of the crops: 1 for gray, 3 for red, green and blue."""

    @classmethod
    def of(cls, crop: CropSpec) -> Self:
        """Return the record of a CropSpec."""
        return cls.model_validate({"size_px": crop.size_px, "channels": crop.channels})

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        try:
            _ = self.spec
        except DataError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def spec(self) -> CropSpec:
        """The CropSpec of this record."""
        return CropSpec(self.size_px, self.channels)


class TrainingData(Record):
    """The data that a Bundle was trained on, described without any of its images."""

    name: str = ""
    """Name of the data set."""
    fingerprint: str = ""
    """Fingerprint of the data set, its splits included; empty if it is not known."""
    split_rule: str = ""
    """Description of how the splits were made."""
    split_counts: dict[str, int] = {}
    """Number of images in each split."""
    chosen_by: str = ""
    """Split by which the weights were chosen; empty if they were chosen by no split."""


class BundleMetadata(Record):
    """The metadata of a Bundle."""

    mien_format: Literal[2] = FORMAT
    """Version of this format."""
    name: Name
    """Name of the recipe, which is also the name of the Bundle."""
    labels: tuple[str, ...] = FER2013.names
    """Name of the class of each column of the outputs."""
    crop: CropRecord = CropRecord()
    """Size and channels of the face crops that the graph reads."""
    crop_margin: float = Field(0.0, ge=0, le=1)
    """Margin added on each side of a detected face's square, as a share of its side."""
    uncertain_below: float = Field(0.0, ge=0, le=1)
    """Highest probability below which a reading is called uncertain; 0 without a threshold."""
    calibration: Calibration | None = None
    """Calibration of the logits, which the graph contains; None if there is none."""
    face_gate: FaceGate | None = None
    """Face gate, which the graph contains; None if there is none."""
    precision: Literal["float32", "int8"] = "float32"
    """Number format in which the convolutions compute."""
    parameters: int = Field(ge=0)
    """Number of weights."""
    macs: int | None = Field(None, ge=0)
    """Multiply-accumulate operations for one face; None in older Bundles."""
    recipe: dict[str, Any] = {}
    """The recipe as it was run, as plain data."""
    data: TrainingData = TrainingData()
    """Data that the network was trained on."""
    epoch: int | None = None
    """Epoch at the end of which the weights were kept."""
    checkpoint: str = ""
    """Description of how the weights were chosen."""
    scores: tuple[ScoreSummary, ...] = ()
    """Scores of this Bundle, each with its protocol."""
    licence: str = "MIT"
    """Licence of the weights."""
    note: str = (
        "Reads facial expressions, which are not feelings. In the European Union inferring "
        "emotions of people at work or in education is prohibited (Regulation 2024/1689, "
        "Article 5(1)(f))."
    )
    """Notice about the use of readings, for everybody who sees them."""
    mien_version: str
    """Version of mien that exported the Bundle."""

    @field_validator("labels")
    @classmethod
    def _a_label_set(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return named_labels(labels).names
        except DataError as error:
            raise ValueError(str(error)) from None

    def as_properties(self) -> dict[str, str]:
        """Return the metadata as ONNX properties: one per field, its value as JSON."""
        return {name: json.dumps(value) for name, value in self.model_dump(mode="json").items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> Self:
        """Return the metadata that ONNX properties hold.

        Raises:
            ValueError: if a property is missing, or has a value that this version of mien does not
                know.
        """
        # Other programs may add properties of their own to an ONNX file.
        known = properties.keys() & cls.model_fields
        fields = {name: _from_json(name, properties[name]) for name in sorted(known)}
        if fields.get("mien_format") == 1:
            try:
                fields = _translate_format_1(fields)
            except (AttributeError, KeyError, TypeError) as error:
                raise ValueError(f"damaged metadata of format 1 ({error!r})") from error
        return cls.model_validate(fields)


def _from_json(name: str, text: str) -> Any:
    """Return the value of a property, which must not be nested deep or have infinite numbers.

    Raises:
        ValueError: if it is not such JSON.
    """
    try:
        value = json.loads(text)
        for one in each_value(value):
            if isinstance(one, float) and not math.isfinite(one):  # NaN, and 1e999 as well
                raise ValueError("a number that is not finite")
            if name in _WITHOUT_PATHS and isinstance(one, str) and not is_text(one):
                raise ValueError("a text that is not UTF-8")
    except json.JSONDecodeError:
        raise ValueError(f"{name}: not JSON") from None
    except RecursionError:
        raise ValueError(f"{name}: nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return value


def _translate_format_1(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a Bundle that mien 0.1 wrote, as the current format has them."""
    recipe = dict(fields.get("recipe", {}))
    recipe["data"] = {
        _DATA_KEYS_OF_FORMAT_1.get(key, key): value for key, value in recipe.get("data", {}).items()
    }
    scores = []
    for score in fields.get("scores", ()):
        protocol = dict(score["protocol"])
        views = protocol.pop("views", "single")
        protocol["tta"] = NO_TTA if views == "single" else views
        scores.append({**score, "protocol": protocol})
    return {
        **fields,
        "mien_format": FORMAT,
        "calibration": fields.get("calibration") or None,
        "face_gate": fields.get("face_gate") or None,
        "recipe": recipe,
        "scores": scores,
    }
