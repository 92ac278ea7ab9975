"""A network that can have learned one thing only: faces that differ by nothing but the mouth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F

from mien.bundle.bundle import Bundle
from mien.bundle.export import export_bundle
from mien.bundle.metadata import BundleMetadata
from mien.labels import FER2013
from mien.models import Classifier, build_model, count_parameters, to_unit
from mien.recipes.recipe import parse_recipe

MOUTH = np.s_[30:46]  # rows
CLASSES = [FER2013.names.index(name) for name in ("happy", "surprise", "neutral")]
# Ends in 2x2 cells and reads the middle 42 pixels, as the network that ships does.
RECIPE = {
    "name": "mouth",
    "model": {"family": "mien_net", "stem": 8, "channels": [12, 16, 24, 24],
              "blocks": [0, 0, 0, 0], "input_px": 42},
}  # fmt: skip


@dataclass(frozen=True)
class Mouths:
    """Faces, a network that tells their mouths apart, and its Bundle with weights beside it."""

    images: np.ndarray
    labels: np.ndarray
    classifier: Classifier
    bundle: Bundle


def draw_mouths(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw faces: all but the mouth varies by chance, and the mouth with the label alone."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(CLASSES, count)
    return np.stack([_draw(int(label), generator) for label in labels]), labels


def _draw(label: int, generator: np.random.Generator) -> np.ndarray:
    image = np.full((48, 48), generator.integers(20, 120), np.uint8)
    skin, ink = int(generator.integers(140, 220)), int(generator.integers(10, 70))

    def near(x: float, y: float) -> tuple[int, int]:
        return int(x + generator.integers(-1, 2)), int(y + generator.integers(-1, 2))

    cv2.ellipse(image, near(24, 25), (20, 24), 0, 0, 360, skin, -1)
    for x in (15, 33):
        eye, opening = near(x, 19), int(generator.integers(1, 4))
        cv2.ellipse(image, eye, (4, opening), 0, 0, 360, ink, -1)
        cv2.line(image, near(x - 5, 12), near(x + 5, 12), ink, int(generator.integers(1, 3)))
    cv2.line(image, near(24, 22), near(24, 28), ink, 1)
    mouth = near(24, 38)
    if label == FER2013.names.index("happy"):
        cv2.ellipse(image, mouth, (9, 4), 0, 0, 180, ink, -1)
    elif label == FER2013.names.index("surprise"):
        cv2.ellipse(image, mouth, (3, 5), 0, 0, 360, ink, -1)
    else:
        cv2.line(image, (mouth[0] - 7, mouth[1]), (mouth[0] + 7, mouth[1]), ink, 1)
    noisy = image + generator.normal(0, 8, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def mouths(tmp_path_factory: pytest.TempPathFactory) -> Mouths:
    recipe = parse_recipe(RECIPE, where="the test")
    # Rounding differs from run to run, so the network should look at the mouth by a wide margin.
    classifier = build_model(recipe.model, seed=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)  # dropout's
        _fit(classifier, *draw_mouths(600, seed=0))
    metadata = BundleMetadata(
        name="mouth",
        parameters=count_parameters(classifier),
        recipe=recipe.as_dict(),
        mien_version="0",
    )
    path: Path = tmp_path_factory.mktemp("mouths") / "mouth.onnx"
    bundle = export_bundle(classifier, metadata, path)
    weights = {**classifier.state_dict(), "votes_head.weight": torch.zeros(10, 24)}
    safetensors.torch.save_file(weights, path.with_suffix(".safetensors"))
    images, labels = draw_mouths(60, seed=1)
    right = bundle.predict(images)[0].argmax(1) == labels
    assert right.mean() > 0.9
    return Mouths(images[right], labels[right], classifier.eval(), bundle)


def _fit(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> None:
    optimizer = torch.optim.Adam(classifier.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    unit, truth = to_unit(torch.from_numpy(images)), torch.from_numpy(labels)
    for _ in range(4):
        for rows in torch.randperm(len(unit), generator=generator).split(50):
            loss = F.cross_entropy(classifier.train()(unit[rows]), truth[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    optimizer.zero_grad()
