"""Other classes and crops than FER-2013's: from files to a reading, by every family."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

import mien
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.images.crop import CropSpec, to_image
from mien.labels import BUILT_IN, FER2013, LabelSet
from mien.recipes.families import FAMILIES
from mien.reports.report import write_report
from mien.training.train import train

LABELS = {3: LabelSet(("glad", "bored", "puzzled")), 7: FER2013, 8: BUILT_IN["affectnet8"]}
CROPS = {"48 gray": CropSpec(48), "64 colour": CropSpec(64, 3), "112 colour": CropSpec(112, 3)}
SMALL = {
    "stacked": "{family='stacked',channels=[4,8,8],dense=[8]}",
    "mien_net": "{family='mien_net',stem=4,channels=[8,8],blocks=[0,1]}",
    "inception": "{family='inception',stem=8,channels=[16,16],blocks_per_stage=1}",
}
# Each class count and each crop once for each family; all of their pairs are slow.
QUICK = {(3, "112 colour"), (7, "64 colour"), (8, "48 gray")}
SLOW = {"densenet"}


def cases():
    for family, classes, crop in itertools.product(FAMILIES.names(), LABELS, CROPS):
        slow = family in SLOW or (classes, crop) not in QUICK
        yield pytest.param(family, classes, crop, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(("family", "classes", "crop"), [*cases()])
def test_from_files_to_a_reading(family, classes, crop, tmp_path):
    labels, spec = LABELS[classes], CROPS[crop]
    faces = synthetic_faces(12 * classes, seed=4, label_set=labels, crop=spec)
    write_dataset(faces, tmp_path / "faces", "folders")
    named = labels.title if labels.title in BUILT_IN else list(labels.names)
    run = train(
        "quick",
        tmp_path / "faces",
        tmp_path / "run",
        overrides=[
            f"model={SMALL.get(family, f'{{family={family!r}}}')}",
            f"data.labels={named}",
            f"data.size_px={spec.size_px}",
            f"data.channels={spec.channels}",
            "train.epochs=1",
            "train.batch_size=16",
        ],
    )
    assert run.record.data.labels == labels.names
    bundle = mien.Bundle(run.path)
    assert (bundle.labels, bundle.crop) == (labels.names, spec)
    assert write_report(run).is_file()

    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), cv2.resize(to_image(faces.images[0]), (160, 160)))
    (reading,) = mien.Reader(run.path, detector="none").read(photo)
    assert tuple(reading.probabilities) == labels.names
    assert reading.emotion in labels.names
    np.testing.assert_allclose(sum(reading.probabilities.values()), 1, atol=1e-5)
