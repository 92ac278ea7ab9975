"""Draw data sets of faces: demo, tests and CI need no download and no real person.

Each face is drawn from a random person (proportions, skin, hair, brows), an expression of random
strength (brows, lids, nose, mouth) and a random photograph (pose, lighting, blur, noise). Weak
expressions of emotions and large changes of pose make these classes overlap, as those of real faces
do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import CLASS_COUNTS
from mien.data.rows import text_array
from mien.data.split import DEFAULT_FRACTIONS, assign_splits, split_ranks
from mien.data.synthetic.expressions import Look, choose_looks
from mien.data.synthetic.portrait import Portrait, photograph
from mien.errors import DataError
from mien.images.crop import DEFAULT_CROP, CropSpec
from mien.labels import FER2013, LabelSet
from mien.types import Crop, Labels


def synthetic_faces(
    count: int,
    *,
    seed: int = 0,
    fractions: Sequence[float] = DEFAULT_FRACTIONS,
    label_set: LabelSet = FER2013,
    crop: CropSpec = DEFAULT_CROP,
) -> FaceDataset:
    """Draw a data set of faces, reproducibly.

    The same arguments draw the same faces, though another build of OpenCV may round a pixel
    differently. FER-2013's classes are as unbalanced as in its Training split, others are equally
    frequent; from a few hundred images on, every class has an image in each split. Classes that are
    no emotions have clear expressions of their own (`mien.data.synthetic.expressions`).

    Args:
        count: number of images.
        seed: seed of everything random.
        fractions: shares of train, val and test, which sum to 1.
        label_set: classes, of any names.
        crop: size and channels of the images, which are drawn at that size.

    Raises:
        DataError: if `count` is less than the number of classes, or there are more classes than
            expressions.
    """
    if count < len(label_set):
        raise DataError(f"{count} faces, expected at least {len(label_set)}, one for each class")
    looks = choose_looks(label_set)
    generator = np.random.default_rng(seed)
    labels = _labels(count, label_set, generator)
    unstated = np.full(count, "", "<U5")
    splits, _ = assign_splits(unstated, labels, fractions=fractions, seed=seed)
    order = np.argsort(split_ranks(splits), kind="stable")
    images = np.empty((count, *crop.shape), np.uint8)
    for label, place in zip(labels, np.argsort(order), strict=True):
        images[place] = draw_face(looks[label], generator, crop=crop)
    return FaceDataset(
        images=images,
        labels=labels[order],
        splits=splits[order],
        ids=text_array(f"face {number}" for number in range(1, count + 1)),
        name=f"synthetic-{count}",
        drawn=True,
        split_rule=f"drawn with seed {seed}, stratified",
        label_set=label_set,
        crop=crop,
    )


def draw_face(
    look: Look,
    generator: np.random.Generator,
    *,
    crop: CropSpec = DEFAULT_CROP,
    strength: float | None = None,
) -> Crop:
    """Draw one face.

    Args:
        look: look of the face's class.
        generator: random generator, for the person, the expression, the pose and the light.
        crop: size and channels of the image.
        strength: strength of the expression, 0 to 1; by default random, from the look's weakest.

    Shape: -> uint8 (size_px, size_px), or (size_px, size_px, 3) in red-green-blue.
    """
    way = look.ways[int(generator.integers(len(look.ways)))]
    if strength is None:
        strength = float(generator.uniform(look.weakest, 1.0))
    noise = generator.normal(0.0, 0.13, len(vars(way)))
    # Colours are drawn apart, so that a seed draws the same faces in gray and in colour.
    colours = generator.spawn(1)[0] if crop.channels == 3 else generator
    portrait = Portrait(generator, colours, crop)
    return photograph(portrait.draw(way.at(strength, noise.tolist())), generator, colours, crop)


def _labels(count: int, label_set: LabelSet, generator: np.random.Generator) -> Labels:
    weights = CLASS_COUNTS["Training"] if label_set == FER2013 else (1,) * len(label_set)
    shares = np.array(weights) / sum(weights)
    counts = np.maximum(1, np.floor(shares * count)).astype(int)
    if label_set == FER2013:
        counts[int(np.argmax(counts))] += count - counts.sum()
    else:
        counts[: count - counts.sum()] += 1
    return generator.permutation(np.repeat(np.arange(len(label_set)), counts)).astype(np.int64)
