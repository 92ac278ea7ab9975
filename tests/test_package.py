from __future__ import annotations

import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mien

EXTRAS = ("train", "sweep", "video", "heic")


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


def test_names_of_0_1_are_still_there_and_say_what_to_write_instead():
    with pytest.warns(DeprecationWarning, match=r"mien\.labels\.FER2013\.names"):
        names = mien.EMOTIONS
    assert names == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert "EMOTIONS" not in {*mien.__all__, *dir(mien)}
    program = (
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always')\n"
        "    from mien.vision.source import open_source\n"
        "from mien.vision import sources\n"
        "print(open_source is sources.open_source, [str(one.message) for one in said])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("True ['mien.vision.source is now mien.vision.sources")


def test_the_oldest_packages_that_are_tested_are_those_that_are_allowed():
    tested = {*EXTRAS, ""}
    allowed = {}
    for requirement in map(Requirement, requires("mien")):
        if any(
            requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            for extra in tested
        ):
            (least,) = (one.version for one in requirement.specifier if one.operator == ">=")
            allowed[canonicalize_name(requirement.name)] = least
    pinned = pins("constraints-lowest.txt")
    assert pinned.keys() == allowed.keys()
    for name, release in pinned.items():
        assert f"{release}.0.0".startswith(f"{allowed[name]}."), name


def test_every_package_that_is_installed_for_the_tests_is_pinned():
    """`make setup` would take a newer one, which was never tested."""
    pinned, seen = pins("constraints.txt"), set()
    if version("numpy") != pinned["numpy"]:
        pytest.skip("these are other packages than those of constraints.txt")
    needed = [Requirement(f"mien[{','.join((*EXTRAS, 'dev'))}]")]
    while needed:
        one = needed.pop()
        for extra in (*one.extras, ""):
            if (one.name, extra) in seen:
                continue
            seen.add((one.name, extra))
            for requirement in map(Requirement, requires(one.name) or ()):
                if applies(requirement, extra):
                    needed.append(requirement)  # noqa: PERF401 - it grows while it is read
    names = {canonicalize_name(name) for name, _ in seen}
    assert names - pinned.keys() <= {"mien", "setuptools"}


def applies(requirement: Requirement, extra: str) -> bool:
    """Return whether a package with this extra needs a requirement here."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def pins(file: str) -> dict[str, str]:
    """Return the version of each package in a file of constraints."""
    lines = (Path(__file__).parent.parent / file).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): release for name, release in pairs}


@pytest.mark.parametrize(
    "statement",
    ["import mien", "import mien; mien.read", "import mien.cli.main", "import mien.evaluation"],
)
def test_reading_and_measuring_never_import_torch(statement):
    heavy = (
        "{'torch', 'lightning', 'matplotlib', 'sklearn', 'pyarrow', 'onnx', 'av', 'PIL', 'pandas'}"
    )
    program = f"{statement}; import sys; print({heavy} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


def test_a_picture_is_opened_read_and_drawn_by_public_names():
    image = np.full((64, 64, 3), 90, np.uint8)
    (frame,) = mien.open_source(image)
    assert isinstance(frame, mien.Frame)
    readings = mien.Reader("mien-xs", detector="none").read(frame.image)
    drawn = mien.draw(frame.image, readings)
    assert drawn.shape == image.shape
    assert (drawn != image).any()


def test_a_data_set_is_audited_and_swept_by_public_names(tmp_path):
    dataset = mien.synthetic_faces(70)
    assert len(mien.audit(dataset).findings) > 0
    with pytest.raises(mien.MienError, match="no sweep or recipe"):
        mien.sweep("nothing", tmp_path, tmp_path / "sweep")
    with pytest.raises(mien.MienError, match="at least two"):
        mien.compare([tmp_path])
