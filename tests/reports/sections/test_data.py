from __future__ import annotations

from mien.labels import FER2013


def test_the_classes_of_each_split_are_counted(text, content):
    counts = content.dataset.split_counts()
    said = ", ".join(f"{split} {images:,}" for split, images in counts.items())
    assert f"<td>{said}</td>" in text
    for emotion in FER2013.names:
        assert f"{content.dataset.train.class_counts()[emotion]:,}</text>" in text
