from __future__ import annotations

import numpy as np

from mien.recipes import load_recipe
from mien.reports.sections.training import augment_examples


def test_augmented_faces_are_shown_where_a_recipe_augments(content, reported):
    dataset = content.dataset
    examples = augment_examples(dataset, reported.recipe)
    assert [example.label for example in examples] == list(dataset.names[:3])
    for example in examples:
        shown = [example.image, *example.copies]
        assert len({image.tobytes() for image in shown}) == 5  # each drawn anew
    again = augment_examples(dataset, reported.recipe)
    for one, other in zip(examples, again, strict=True):
        assert np.array_equal(one.copies, other.copies)
    assert augment_examples(dataset, load_recipe("csv-cnn")) == []
    assert augment_examples(dataset.test, reported.recipe) == []  # it has no training face


def test_its_files_hold_the_history(reported):
    history = (reported.path / "figures" / "history.csv").read_text().splitlines()
    assert history[0].split(",") == list(reported.history()[0])
    assert len(history) == 1 + 2
