"""The private page as static files, and a service without the browser's runtime."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from tests.service.conftest import MIEN, running

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.errors import MienError
from mien.io.files import write_bytes
from mien.service import web
from mien.service.web import BrowserModels, page, write_site

ROOT = Path(__file__).parents[2]
without_runtime = pytest.mark.skipif(
    not web.has_runtime(), reason="the browser's runtime is not in the package: make web"
)
MOST_BYTES = 6_000_000


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """Files in the place of the browser's runtime, which a machine without npm has not."""
    static = tmp_path / "static"
    shutil.copytree(web.STATIC, static, ignore=shutil.ignore_patterns("ort"))
    for name in ("ort.mjs", "ort.wasm.gz", "LICENSE.txt"):
        write_bytes(static / "ort" / name, name.encode())
    monkeypatch.setattr(web, "STATIC", static)
    monkeypatch.setattr(web, "RUNTIME", static / "ort")
    return static


def site_of(folder: Path) -> dict:
    """Return what the service worker knows of a page."""
    script = (folder / "sw.js").read_text(encoding="utf-8")
    text = script.split("const SITE = ", 1)[1].split(";\nconst CACHE", 1)[0]
    return json.loads(text)


def test_a_page_without_the_runtime_is_refused_before_anything_is_written(
    tmp_path, monkeypatch, mien
):
    monkeypatch.setattr(web, "RUNTIME", tmp_path / "nothing")
    outcome = mien("web", "--out", tmp_path / "site")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert "make web" in outcome.err
    assert not (tmp_path / "site").exists()


@pytest.mark.usefixtures("runtime")
def test_a_page_has_every_file_that_it_names(tmp_path, mien):
    outcome = mien("web", "--out", tmp_path / "site")
    assert outcome.code == 0, outcome.err
    assert str(tmp_path / "site") in outcome.out.replace("\n", "")
    assert "mien fetch" in outcome.err  # there is no YuNet in the cache of the tests
    site = tmp_path / "site"
    about = json.loads((site / "models" / "models.json").read_bytes())
    assert about["detector"] is None
    (card,) = about["models"]
    bundle = Bundle("mien-xs")
    assert card["name"] == "mien-xs"
    assert tuple(card["labels"]) == bundle.labels
    assert card["colours"].keys() == set(bundle.labels)
    assert card["uncertain_below"] == bundle.metadata.uncertain_below
    assert (site / "models" / card["file"]).read_bytes() == bundle.path.read_bytes()
    known = site_of(site)
    written = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert written - set(known["files"]) == {"index.html", "sw.js", "static/ort/LICENSE.txt"}
    assert set(known["files"]) - written == {"./"}
    html = (site / "index.html").read_text(encoding="utf-8")
    assert 'content="private"' in html
    assert "connect-src 'self'" in html
    assert "http" not in html.replace("http-equiv", "")
    assert not any(name.startswith("static/docs") for name in written)


@pytest.mark.usefixtures("runtime")
def test_bundles_of_the_users_own_are_offered_in_their_order(tmp_path, run):
    write_site(tmp_path / "a", models=[run.path, "mien-xs"])
    about = json.loads((tmp_path / "a" / "models" / "models.json").read_bytes())
    assert [card["name"] for card in about["models"]] == ["quick", "mien-xs"]
    assert len({card["file"] for card in about["models"]}) == 2
    write_site(tmp_path / "b", models=["mien-xs"])
    assert site_of(tmp_path / "a")["version"] != site_of(tmp_path / "b")["version"]
    write_site(tmp_path / "c", models=["mien-xs"])
    assert site_of(tmp_path / "c") == site_of(tmp_path / "b")


@pytest.mark.usefixtures("runtime")
def test_what_cannot_be_written_leaves_nothing(tmp_path):
    wrong = tmp_path / "yunet.onnx"
    wrong.write_bytes(b"something else")
    cases = {
        "exists already": {"out": tmp_path},
        "no such run, Bundle file or shipped Bundle": {"models": ["mien-xl"]},
        "not YuNet's": {"detector_model": wrong},
        "no such file": {"detector_model": tmp_path / "missing.onnx"},
        "cannot be written": {"out": wrong / "site"},
    }
    before = sorted(tmp_path.iterdir())
    for words, changed in cases.items():
        with pytest.raises(MienError, match=words):
            write_site(**{"out": tmp_path / "site", **changed})
    assert sorted(tmp_path.iterdir()) == before


def test_the_page_names_its_modes():
    assert '<meta name="mien-modes" content="server private">' in page(modes=["server", "private"])


def test_models_of_one_name_have_files_of_their_own(run, tmp_path):
    shutil.copy(Bundle("mien-xs").path, tmp_path / "other.onnx")
    models = BrowserModels(["mien-xs", tmp_path / "other.onnx", run.path], yunet=None)
    names = [card["file"] for card in json.loads(models.files["models.json"])["models"]]
    assert len(set(names)) == 3
    assert models.files.keys() == {"models.json", *names}


def test_a_service_without_the_runtime_has_no_private_mode(tmp_path):
    hidden = "import mien.service.web as web, pathlib; web.RUNTIME = pathlib.Path('/nonexistent');"
    with running(tmp_path, program=f"{hidden}{MIEN}") as server:
        home = httpx.get(server.url)
        assert '<meta name="mien-modes" content="server">' in home.text
        assert "wasm-unsafe-eval" not in home.headers["content-security-policy"]
        assert httpx.get(f"{server.url}/models/models.json").status_code == 404


@without_runtime
def test_a_service_gives_the_shipped_bundles_and_nothing_else(locked):
    with httpx.Client(base_url=locked.url) as client:
        about = client.get("/models/models.json").json()
        sizes = [len(client.get(f"/models/{card['file']}").content) for card in about["models"]]
        assert sizes == sorted(path.stat().st_size for path in shipped_bundles().values())
        for name in ("..%2fmien-s.onnx", "mien-s.onnx", "yunet.onnx", "%2e%2e/app.py", ""):
            assert client.get(f"/models/{name}").status_code in (404, 401)
        headers = client.get("/static/private/worker.js").headers
        assert headers["cross-origin-embedder-policy"] == "require-corp"
        assert "'wasm-unsafe-eval'" in headers["content-security-policy"]
        assert "wasm" not in client.get("/docs").headers["content-security-policy"]


@without_runtime
def test_a_page_with_a_detector_is_small(tmp_path):
    site = write_site(tmp_path / "site")
    yunet_bytes = 232_589
    assert site.size_bytes + yunet_bytes <= MOST_BYTES
    held = sum(path.stat().st_size for path in site.path.rglob("*") if path.is_file())
    assert held == site.size_bytes


@without_runtime
def test_a_wheel_holds_the_runtime(tmp_path):
    pytest.importorskip("hatchling", reason="not installed yet: make setup")
    source = tmp_path / "source"
    (source / "src").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copyfile(ROOT / name, source / name)
    ignored = shutil.ignore_patterns("__pycache__", "weights")
    shutil.copytree(ROOT / "src" / "mien", source / "src" / "mien", ignore=ignored)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    subprocess.run([*command, source], capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    names = {path.name for path in web.RUNTIME.iterdir()}
    assert {f"mien/service/static/ort/{name}" for name in names} <= held
    assert {"LICENSE.txt", "ThirdPartyNotices.txt"} <= names
