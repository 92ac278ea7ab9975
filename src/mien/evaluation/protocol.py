"""Protocol: what a score has to say of itself."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from mien.data.split import AS_STATED
from mien.evaluation import metrics
from mien.evaluation.tta import describe_views

_SEED: Final = 0


class Record(BaseModel):
    """What is measured once and then stays as it is."""

    model_config = ConfigDict(frozen=True)


class Protocol(Record):
    """How a score came about; no score is worth anything without it.

    Args:
        model: the Bundle's name.
        data: the data set's name.
        fingerprint: of the whole data set, its splits included.
        split: that was measured.
        images: how many.
        split_fingerprint: of the measured images and their labels alone, in their order.
        split_rule: how the splits came about.
        views: of each image (`mien.evaluation.tta`); ``single`` is the image as it is.
        checkpoint: how the weights were chosen.
        same_data: whether this is, as a whole, the data set that the model was trained on.
        trained_on_split: whether these very images were learnt, so that the score says little.
        chosen_on_split: whether these very images chose them, which flatters the score.
        skipped: how many images of the data set could not be used and were left out.
        identical_in_train: how many of the images are in the data set's train split, pixel for
            pixel; None where it has no train split, and for that split itself.
        near_in_train: how many others have a near duplicate there (`mien.data.duplicates.search`);
            None as above, and where an older version of mien measured.
        trained_on: how many of the images the run trained on, pixel for pixel; None where what it
            has seen is not known: for a Bundle alone, and for runs of older versions.
        chosen_by: how many of them had a say in which weights it kept; None likewise.
        resamples: of the bootstrap behind the intervals.
        seed: of that bootstrap.
    """

    model: str
    data: str
    fingerprint: str
    split: str
    images: int
    split_fingerprint: str = ""
    split_rule: str
    views: str = "single"
    checkpoint: str = ""
    same_data: bool = False
    trained_on_split: bool = False
    chosen_on_split: bool = False
    skipped: int = 0
    identical_in_train: int | None = None
    near_in_train: int | None = None
    trained_on: int | None = None
    chosen_by: int | None = None
    resamples: int = metrics.RESAMPLES
    seed: int = _SEED

    def sentence(self) -> str:
        """Return the protocol as one line for people; the overlap comes last."""
        views = describe_views(self.views)
        parts = [f"{self.split} split of {self.data}, {self.images:,} images, {views}"]
        if self.split_rule != AS_STATED:
            parts.append(f"splits: {self.split_rule}")
        if self.checkpoint:
            parts.append(f"weights: {self.checkpoint}")
        if self.skipped:
            parts.append(f"{self.skipped:,} of the data set's images could not be used")
        if self.trained_on_split:
            parts.append("trained on these very images: no measure of how it reads others")
        if self.chosen_on_split:
            parts.append("chosen by this very split, which flatters the score a little")
        if self.split != "train":
            parts.append(self.overlap())
        parts += self._known()
        return "; ".join(parts)

    def overlap(self) -> str:
        """Return in words how many of the images have a duplicate in the train split."""
        if self.identical_in_train is None:
            return "duplicates in a train split: not counted"
        identical = self._counted(self.identical_in_train)
        if self.near_in_train is None:
            return f"also in train: {identical} pixel for pixel (near duplicates: not counted)"
        if not self.identical_in_train + self.near_in_train:
            return "no image stands in train, neither pixel for pixel nor changed a little"
        near = self._share(self.near_in_train)
        return f"also in train: {identical} pixel for pixel, {near} more changed a little"

    def _known(self) -> list[str]:
        """Say how many of the images the run has seen, where nothing above says so."""
        if self.same_data:
            if self.chosen_on_split or not self.chosen_by:
                return []
            return [f"{self._counted(self.chosen_by)} chose the weights, pixel for pixel"]
        if self.trained_on is None or self.chosen_by is None:
            known = "how many of these images it has learnt is not known"
        else:
            trained_on, chosen_by = self._share(self.trained_on), self._share(self.chosen_by)
            known = f"of these images the run trained on {trained_on} and chose by {chosen_by}"
        return [f"not, as a whole, the data it was trained on: {known}"]

    def _counted(self, count: int) -> str:
        return f"{count:,} {'image' if count == 1 else 'images'} ({count / self.images:.1%})"

    def _share(self, count: int) -> str:
        return f"{count:,} ({count / self.images:.1%})"
