"""Labels and probabilities on which the metrics are tested."""

from __future__ import annotations

import numpy as np
import pytest

from mien.labels import NUM_CLASSES


def make_up(count: int, *, absent: int | None = None, decimals: int | None = None, seed: int = 0):
    """Return labels and probabilities that lean towards them, as those of a mediocre classifier."""
    generator = np.random.default_rng(seed)
    classes = [label for label in range(NUM_CLASSES) if label != absent]
    labels = generator.choice(classes, count).astype(np.int64)
    logits = generator.normal(size=(count, NUM_CLASSES))
    logits[np.arange(count), labels] += 1
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    if decimals is not None:  # ties
        probabilities = probabilities.round(decimals)
    return labels, probabilities


CASES = {
    "all classes": {"count": 700},
    "a class without images": {"count": 400, "absent": 1},
    "ties": {"count": 500, "decimals": 1},
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return make_up(**request.param)
