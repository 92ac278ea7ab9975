from __future__ import annotations

import subprocess
import sys

import pytest

import mien


def test_every_public_name_is_there():
    for name in mien.__all__:
        assert getattr(mien, name) is not None
    assert set(mien.__all__) <= set(dir(mien))


def test_labels_and_crops_of_a_bundle_are_public():
    bundle = mien.Bundle("mien-s")
    assert bundle.path == mien.Bundle().path
    assert bundle.label_set == mien.LabelSet(bundle.labels)
    assert bundle.crop == mien.CropSpec(48, 1)
    assert bundle.crop.shape == (48, 48)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mien.nothing


@pytest.mark.parametrize(
    "statement",
    ["import mien", "import mien; mien.read", "import mien.cli.main", "import mien.evaluation"],
)
def test_reading_and_measuring_never_import_torch(statement):
    heavy = "{'torch', 'lightning', 'matplotlib', 'sklearn', 'pyarrow', 'onnx'}"
    program = f"{statement}; import sys; print({heavy} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
