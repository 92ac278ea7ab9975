"""Labels and probabilities on which the metrics are tested."""

from __future__ import annotations

import numpy as np
import pytest

from mien.labels import FER2013


def make_up(
    count: int,
    *,
    classes: int = len(FER2013),
    absent: int | None = None,
    single: int | None = None,
    decimals: int | None = None,
    seed: int = 0,
):
    """Return labels and probabilities that lean towards them, as those of a mediocre classifier.

    Of the class ``absent`` there is no image, of the class ``single`` there is one.
    """
    generator = np.random.default_rng(seed)
    present = [label for label in range(classes) if label not in (absent, single)]
    labels = generator.choice(present, count).astype(np.int64)
    if single is not None:
        labels[0] = single
    logits = generator.normal(size=(count, classes))
    logits[np.arange(count), labels] += 1
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    if decimals is not None:  # ties
        probabilities = probabilities.round(decimals)
    return labels, probabilities


CASES = {
    "all classes": {"count": 700},
    "a class without images": {"count": 400, "absent": 1},
    "ties": {"count": 500, "decimals": 1},
    "two classes": {"count": 120, "classes": 2},
    "eight classes, one without images and one image of another": {
        "count": 400,
        "classes": 8,
        "absent": 7,
        "single": 0,
    },
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return make_up(**request.param)
