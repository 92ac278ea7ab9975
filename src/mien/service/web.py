"""The page's private mode, in which a browser reads faces by itself, and that page as static files.

The browser's runtime, onnxruntime-web, is put into the package by ``make web``; without it there is
no private mode.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.errors import MienError
from mien.io.files import AnyPath, atomic_folder, expand_user, refuse_existing
from mien.service.headers import PRIVATE_HEADERS
from mien.version import VERSION
from mien.vision.detectors.yunet import find_yunet

STATIC: Final = Path(str(files("mien.service") / "static"))
RUNTIME: Final = STATIC / "ort"

# Parts of the service's page alone; with those for graphics processors, a site would have 9 MB.
_GPU: Final = ("ort/ort.gpu.mjs", "ort/ort.gpu.wasm.gz")
_SERVICE_ONLY: Final = ("docs.html", "docs.js", "index.html", "sw.js", *_GPU)
_MODES: Final = '<meta name="mien-modes" content="server">'
_CARD: Final = (
    *("name", "labels", "crop", "crop_margin", "uncertain_below", "precision", "parameters"),
    *("licence", "note"),
)
_YUNET: Final = "yunet.onnx"
_SITE: Final = "const SITE = null;"


class Site(NamedTuple):
    """Static files that were written.

    Args:
        path: path of their folder.
        size_bytes: size of all files.
        finds_faces: whether the page has a face detector.
    """

    path: Path
    size_bytes: int
    finds_faces: bool


def has_runtime() -> bool:
    """Return whether the browser's runtime is in this installation."""
    return (RUNTIME / "ort.wasm.gz").is_file() and (RUNTIME / "ort.mjs").is_file()


def has_gpu_runtime() -> bool:
    """Return whether the part of the runtime for graphics processors is in this installation."""
    return all((STATIC / name).is_file() for name in _GPU)


def page(*, modes: Sequence[str]) -> str:
    """Return the HTML of the page.

    Args:
        modes: ways in which the page can read, ``server`` and ``private``; the first one is the
            default.
    """
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    assert _MODES in text
    return text.replace(_MODES, _MODES.replace("server", " ".join(modes)))


class BrowserModels:
    """The files with which a browser reads: Bundles and YuNet, by their names in the page.

    Args:
        models: names or paths of Bundles, the first of which the page begins with.
        yunet: path of YuNet's file; None to let the user mark faces by hand.
        gpu: whether the page may use a graphics processor.

    Raises:
        MienError: if a Bundle is missing or wrong.
    """

    def __init__(self, models: Sequence[AnyPath], *, yunet: Path | None, gpu: bool = False) -> None:
        self._models, self._yunet, self._gpu = models, yunet, gpu

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The content of each file; ``models.json`` describes the others."""
        found: dict[str, bytes] = {}
        cards: list[dict[str, Any]] = []
        for model in self._models:
            bundle = Bundle(model, threads=1)
            metadata = bundle.metadata.model_dump(mode="json")
            content = bundle.path.read_bytes()
            # Two runs of one recipe have one name.
            name = f"{len(cards)}-{hashlib.sha256(content).hexdigest()[:12]}.onnx"
            colours = dict(zip(bundle.labels, bundle.label_set.colours, strict=True))
            cards.append(
                {"file": name, "colours": colours, **{field: metadata[field] for field in _CARD}}
            )
            found[name] = content
        if self._yunet:
            found[_YUNET] = self._yunet.read_bytes()
        about = {
            "mien_version": VERSION,
            "models": cards,
            "detector": _YUNET if self._yunet else None,
            "gpu": self._gpu,
        }
        return {"models.json": json.dumps(about).encode(), **found}


def smallest_first() -> list[str]:
    """Return the names of the shipped Bundles, the smallest one first."""
    shipped = shipped_bundles()
    return sorted(shipped, key=lambda name: shipped[name].stat().st_size)


def write_site(
    out: AnyPath, *, models: Sequence[AnyPath] = (), detector_model: AnyPath | None = None
) -> Site:
    """Write the private page as static files, for any web host.

    Args:
        out: path of the folder, which must not exist yet.
        models: names or paths of Bundles; empty for the smallest shipped one.
        detector_model: path of YuNet's file; None for the one in mien's cache.

    Raises:
        MienError: if this installation has not the browser's runtime, a Bundle or YuNet's file is
            missing or wrong, or the folder exists or cannot be written.
    """
    if not has_runtime():
        raise MienError(
            "this installation has not the browser's runtime (onnxruntime-web), which reads faces "
            "in the page; in a checkout, `make web` gets it by npm"
        )
    path = expand_user(out)
    refuse_existing(path)
    yunet = find_yunet(None if detector_model is None else expand_user(detector_model))
    content = {f"static/{name}": data for name, data in _static_files().items()}
    browser_models = BrowserModels(models or smallest_first()[:1], yunet=yunet)
    content |= {f"models/{name}": data for name, data in browser_models.files.items()}
    content["index.html"] = _with_policy(page(modes=["private"])).encode()
    content["sw.js"] = _service_worker(content)
    with atomic_folder(path) as folder:
        for name, data in content.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    return Site(path, sum(map(len, content.values())), finds_faces=yunet is not None)


def _static_files() -> dict[str, bytes]:
    """Return the files of the page, by their paths below ``static``."""
    return {
        path.relative_to(STATIC).as_posix(): path.read_bytes()
        for path in sorted(STATIC.rglob("*"))
        if path.is_file() and path.relative_to(STATIC).as_posix() not in _SERVICE_ONLY
    }


def _with_policy(html: str) -> str:
    """Return the page with its policy inside, since a web host sends none."""
    policy = PRIVATE_HEADERS["Content-Security-Policy"]
    known = "; ".join(part for part in policy.split("; ") if not part.startswith("frame-ancestors"))
    return html.replace(
        '<meta charset="utf-8">',
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{known}">',
    )


def _service_worker(content: dict[str, bytes]) -> bytes:
    """Return the script that keeps the page in the browser, for these files.

    Args:
        content: content of each file of the page.
    """
    digest = hashlib.sha256()
    for name, data in content.items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    site = {
        "version": digest.hexdigest()[:16],
        "files": ["./", *(name for name in content if not name.endswith((".txt", ".html")))],
        "headers": PRIVATE_HEADERS,
    }
    script = (STATIC / "sw.js").read_text(encoding="utf-8")
    assert _SITE in script
    return script.replace(_SITE, f"const SITE = {json.dumps(site, indent=2)};").encode()
