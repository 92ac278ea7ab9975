"""Typed requests and replies of the service, which its OpenAPI document shows."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mien.bundle.metadata import BundleMetadata, TrainingData
from mien.bundle.scores import ScoreSummary
from mien.vision.reading import Reading


class ImageIn(BaseModel):
    """One image of a JSON request."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(description="Content of an image file (PNG, JPEG, WebP, …) in Base64.")
    name: str = Field("", max_length=255, description="Name of the image in the reply.")


class ReadRequest(BaseModel):
    """Images as JSON."""

    model_config = ConfigDict(extra="forbid")

    images: list[ImageIn] = Field(min_length=1, description="Images to read, in order.")


class Face(BaseModel):
    """One face in an image."""

    box: tuple[int, int, int, int] = Field(
        description="Left, top, right and bottom edge of the face, in pixels of the image."
    )
    score: float = Field(description="Confidence of the detector that this is a face, 0 to 1.")
    emotion: str = Field(description="Name of the most probable class.")
    probability: float = Field(description="Probability of that class.")
    uncertain: bool = Field(
        description="Whether that probability is below the model's threshold, so that the reading "
        "is best treated as no answer."
    )
    probabilities: dict[str, float] = Field(description="Probability of each class; they sum to 1.")
    tilt_degrees: float = Field(description="Clockwise angle of the line through the eyes.")
    track: int | None = Field(
        None, description="Number that a face keeps in a stream while it is followed."
    )

    @classmethod
    def of(cls, reading: Reading) -> Face:
        """Return the face of a reading."""
        return cls.model_construct(
            box=reading.box,
            score=reading.score,
            emotion=reading.emotion,
            probability=reading.probability,
            uncertain=reading.uncertain,
            probabilities=reading.probabilities,
            tilt_degrees=reading.tilt_degrees,
            track=reading.track,
        )


class ImageOut(BaseModel):
    """The faces in one image."""

    name: str = Field(description="Name of the image, or an empty text.")
    width: int = Field(description="Width of the upright image, in pixels.")
    height: int = Field(description="Height of the upright image, in pixels.")
    faces_found: int = Field(
        description="Number of faces that were found, of which only the largest ones are read if "
        "there are more than the service reads in an image."
    )
    faces: list[Face] = Field(description="Faces that were read, the largest one first.")


class ReadReply(BaseModel):
    """The readings of the images of a request."""

    model: str = Field(description="Name of the model.")
    results: list[ImageOut] = Field(description="One result for each image, in order.")


class StreamReply(ImageOut):
    """The readings of one frame of a stream."""

    frame: int = Field(description="Number of the frame among those that were sent, from 0.")
    seconds: float = Field(description="Time of the frame since the stream began.")
    dropped: int = Field(description="Number of frames so far that newer ones replaced, unread.")
    latency_ms: float = Field(description="Time from the frame's arrival to this reply.")


class Limits(BaseModel):
    """What a request may hold."""

    body_bytes: int
    pixels: int
    images: int
    crops: int
    faces: int


class ModelReply(BaseModel):
    """The model card: what the model reads, how well, and what it must not be used for."""

    name: str
    labels: list[str] = Field(description="Names of the classes.")
    colours: dict[str, str] = Field(description="Colour in which each class is drawn.")
    crop: dict[str, int] = Field(description="Side, in pixels, and channels of the face crops.")
    uncertain_below: float = Field(description="Probability below which a reading is uncertain.")
    precision: str
    parameters: int
    scores: list[ScoreSummary] = Field(description="Scores, each with its protocol.")
    data: TrainingData = Field(description="The data that the model was trained on.")
    licence: str
    note: str = Field(description="Notice for everybody who sees readings.")
    detector: str = Field(description="Name of the face detector.")
    detector_note: str = Field(description="How to get a better detector; empty if there is none.")
    mien_version: str
    limits: Limits

    @classmethod
    def of(cls, about: BundleMetadata, **more: Any) -> ModelReply:
        """Return the card of a Bundle.

        Args:
            about: metadata of the Bundle.
            **more: fields that the Bundle does not know.
        """
        stored = about.model_dump(mode="json")
        fields = {name: stored[name] for name in cls.model_fields.keys() & stored.keys()}
        return cls.model_validate({**fields, **more})


class ProblemReply(BaseModel):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    request_id: str = ""


class Status(BaseModel):
    """The state of the service."""

    status: str
