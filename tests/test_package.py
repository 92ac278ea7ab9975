from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mien

ROOT = Path(__file__).parent.parent
EXTRAS = ("train", "sweep", "video", "heic", "serve")


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


def test_every_package_that_is_installed_is_pinned():
    """`make setup` would take a newer one, which was never tested."""
    pinned, seen = pins("constraints.txt"), set()
    if version("numpy") != pinned["numpy"]:
        pytest.skip("these are other packages than those of constraints.txt")
    needed = [one for direct in licences().declared().values() for one in direct]
    while needed:
        one = needed.pop()
        for extra in (*one.extras, ""):
            if (one.name, extra) in seen:
                continue
            seen.add((one.name, extra))
            with suppress(PackageNotFoundError):  # of an extra that is not installed here
                for requirement in map(Requirement, requires(one.name) or ()):
                    if applies(requirement, extra):
                        needed.append(requirement)  # noqa: PERF401 - it grows while it is read
    assert {canonicalize_name(name) for name, _ in seen} <= pinned.keys()


@pytest.mark.slow
def test_every_package_that_pip_takes_is_pinned(tmp_path):
    extras = ",".join(name for name in licences().declared() if name != "core")
    report = tmp_path / "report.json"
    command = [
        *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
        *("--report", report, "-c", ROOT / "constraints.txt", f"{ROOT}[{extras}]"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No matching distribution" in result.stderr and "from versions: none" in result.stderr:
        pytest.skip("no package registry can be reached")
    assert result.returncode == 0, result.stderr
    taken = json.loads(report.read_text())["install"]
    pinned = pins("constraints.txt")
    found = {
        canonicalize_name(one["metadata"]["name"]): one["metadata"]["version"] for one in taken
    }
    assert len(found) > 100
    assert found.pop("mien") == version("mien")
    for name, release in found.items():
        assert release.partition("+")[0] == pinned.get(name), name  # +cpu of torch


def licences():
    """Return the module of tools/licences.py."""
    spec = importlib.util.spec_from_file_location("licences", ROOT / "tools" / "licences.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_licences_is_current():
    module = licences()
    text = module.PAGE.read_text(encoding="utf-8")
    assert text.startswith(module.HEAD)
    rows = {}
    for line in text.removeprefix(module.HEAD).splitlines():
        name, release, licence, purpose = line.strip("| ").split(" | ")
        rows[name] = (release, licence, purpose)
    assert {name: row[0] for name, row in rows.items()} == module.pins(), "run make licences"
    by_name = {canonicalize_name(name): row for name, row in rows.items()}
    for extra, direct in module.declared().items():
        for one in direct:
            _, licence, purpose = by_name[canonicalize_name(one.name)]
            assert extra in purpose.split(", ") or purpose == "core", one.name
            with suppress(PackageNotFoundError):
                if metadata(one.name)["Version"] == by_name[canonicalize_name(one.name)][0]:
                    assert licence.startswith(module.licence(metadata(one.name))), one.name


def build_both(source: Path, out: Path) -> dict[str, bytes]:
    """Build the sdist, and from it the wheel, at a fixed time."""
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source],
        capture_output=True, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
    )  # fmt: skip
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_wheel_and_sdist_are_reproducible_and_hold_what_they_should(tmp_path):
    pytest.importorskip("hatchling", reason="not installed yet: make setup")
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere"
    source.mkdir()
    for name in ("src", "tests", "docs", "tools"):
        cached = shutil.ignore_patterns("__pycache__", "*.pyc", "ort")  # wheels of `make web` alone
        shutil.copytree(ROOT / name, source / name, ignore=cached)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copyfile(path, source / path.name)
    shutil.copytree(source, elsewhere, copy_function=shutil.copyfile)  # with other times
    first, second = build_both(source, tmp_path / "a"), build_both(elsewhere, tmp_path / "b")
    assert first == second
    wheel = f"mien-{mien.__version__}-py3-none-any.whl"
    sdist = f"mien-{mien.__version__}.tar.gz"
    assert first.keys() == {wheel, sdist}
    with zipfile.ZipFile(io.BytesIO(first[wheel])) as archive:
        held = set(archive.namelist())
    kept = {
        path.relative_to(source / "src").as_posix()
        for path in (source / "src" / "mien").rglob("*")
        if path.is_file()
    }
    assert {name for name in held if not name.startswith("mien-")} == kept
    assert "mien/weights/mien-s.onnx" in kept
    with tarfile.open(fileobj=io.BytesIO(first[sdist])) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in (
        *("LICENSE", "README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile"),
        *("constraints.txt", "constraints-lowest.txt", "pyproject.toml", "docs/licences.md"),
        *("src/mien/__init__.py", "tests/conftest.py", "tools/licences.py"),
    ):
        assert name in names
    # Nothing of a data set, of a run, or of this machine.
    for name in names | held:
        assert not name.endswith((".parquet", ".csv.gz", ".ckpt", ".pyc"))
        assert not name.startswith((".", "runs/", "demo-data/", "benchmarks/")) or name in (
            ".gitignore",
        )


def applies(requirement: Requirement, extra: str) -> bool:
    """Return whether a package with this extra needs a requirement here."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def pins(file: str) -> dict[str, str]:
    """Return the version of each package in a file of constraints."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
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
