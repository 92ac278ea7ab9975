"""Labels and probabilities that the metrics are tried on."""

from __future__ import annotations

import numpy as np
import pytest

from mien.labels import NUM_CLASSES

GENERATOR = np.random.default_rng(0)


def _made_up(count: int, *, absent: int | None = None, decimals: int | None = None):
    """Return labels and probabilities that lean towards them, as a mediocre classifier's do."""
    classes = [label for label in range(NUM_CLASSES) if label != absent]
    labels = GENERATOR.choice(classes, count).astype(np.int64)
    logits = GENERATOR.normal(size=(count, NUM_CLASSES))
    logits[np.arange(count), labels] += 1
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    if decimals is not None:  # ties
        probabilities = probabilities.round(decimals)
    return labels, probabilities


CASES = {
    "all classes": _made_up(700),
    "a class without images": _made_up(400, absent=1),
    "ties": _made_up(500, decimals=1),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return request.param


@pytest.fixture
def made_up():
    """Make labels and probabilities up."""
    return _made_up
