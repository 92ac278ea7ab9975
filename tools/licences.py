"""Write docs/licences.md: the licence and the purpose of every package of constraints.txt.

Run it by `make licences`, which installs what the usual environment lacks. The licences are those
that the installed packages declare in their metadata.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
# Metadata of these say nothing; their licence files do.
KNOWN = {"atheris": "Apache-2.0"}
# Licences of libraries inside the wheels, which are not those of the package.
INSIDE = {
    "av": "wheels hold FFmpeg with x264 and x265, under the GPL",
    "opencv-python-headless": "wheels hold FFmpeg, under the LGPL 2.1",
    "pillow-heif": "wheels hold libheif (LGPL 3) and x265, and are under the GPL 2",
}
HEAD = """# Licences of the dependencies

mien itself is under the [MIT licence](../LICENSE). Nothing of the packages below is part of its
wheel: pip installs them beside it. Wheels that are built after `make web` also hold onnxruntime-web
(MIT licence), with its notices, for the private mode of the page. Core packages are needed to read
faces; the others come with an extra. Licences are as the packages declare them. `make licences`
writes this page from `constraints.txt` and the metadata of the installed packages; `make sbom`
writes the same list as CycloneDX JSON, to `dist/sbom.json`.

| package | version | licence | needed for |
| --- | --- | --- | --- |
"""


def pins() -> dict[str, str]:
    """Return the version of each package of constraints.txt, by its own name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return dict(pairs)


def declared() -> dict[str, list[Requirement]]:
    """Return the direct dependencies by extra; those of the core are under ``core``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}

    def expand(lines: list[str]) -> Iterator[Requirement]:
        for requirement in map(Requirement, lines):
            if requirement.name != project["name"]:
                yield requirement
            for extra in requirement.extras if requirement.name == project["name"] else ():
                yield from expand(groups[extra])

    return {name: list(expand(lines)) for name, lines in groups.items()}


def licence(package: PackageMetadata) -> str:
    """Return the licence that a package declares: an SPDX expression, else a name.

    Raises:
        SystemExit: if it declares none.
    """
    name = package["Name"]
    if known := KNOWN.get(canonicalize_name(name)):
        return known
    if expression := package["License-Expression"]:
        return expression
    text = package["License"] or ""
    if text and "\n" not in text and len(text) < 60:
        return text
    names = [line.split(" :: ")[-1] for line in package.get_all("Classifier") or []
             if line.startswith("License ::")]  # fmt: skip
    if not names:
        raise SystemExit(f"{name}: declares no licence; look it up and add it to KNOWN")
    return ", ".join(names)


def purposes() -> dict[str, list[str]]:
    """Return the extras that need each package, directly or through others."""
    needed: dict[str, list[str]] = {}
    for extra, direct in declared().items():
        seen: set[tuple[str, str]] = set()
        todo = list(direct)
        while todo:
            one = todo.pop()
            for part in ("", *one.extras):
                name = canonicalize_name(one.name)
                if (name, part) in seen:
                    continue
                seen.add((name, part))
                try:
                    lines = requires(name) or []
                except PackageNotFoundError:
                    continue  # not for this system
                rest = map(Requirement, lines)
                todo += [each for each in rest if _applies(each, part)]
        for name in sorted({name for name, _ in seen}):
            needed.setdefault(name, []).append(extra)
    return needed


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def page() -> str:
    """Return the page.

    Raises:
        SystemExit: if a package of constraints.txt is not installed, or declares no licence.
    """
    needed, rows = purposes(), []
    for name, release in pins().items():
        try:
            package = metadata(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name}: not installed here; run make licences") from None
        key = canonicalize_name(name)
        stated = re.sub(r"\s+", " ", licence(package))
        inside = f" ({INSIDE[key]})" if key in INSIDE else ""
        extras = needed.get(key, [])
        # What the core needs comes with every extra.
        purpose = "core" if "core" in extras else ", ".join(extras)
        rows.append(f"| {name} | {release} | {stated}{inside} | {purpose} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
