"""`mien data fetch` and `--votes`, as a user calls them. No test leaves this machine."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mien.data.fer2013 import FERPLUS_VOTES, USAGES

HEADER = ",".join(("Usage", "Image name", *FERPLUS_VOTES))
WHOLE_ROWS = (("Training", 28_709), ("PublicTest", 3_589), ("PrivateTest", 3_589))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """The address of a web server on loopback that holds FER+'s file, made up."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "mirror"
    folder.mkdir()
    rows = [f"{usage},,0,0,0,0,0,0,0,0,0,10\n" * count for usage, count in WHOLE_ROWS]
    (folder / "fer2013new.csv").write_text("".join([f"{HEADER}\n", *rows]))
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/fer2013new.csv"
        server.shutdown()
        thread.join()


def test_ferplus_says_what_it_found_and_what_comes_next(mien, mirror, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = mien("data", "fetch", "ferplus", "--url", mirror)
    assert outcome.code == 0, outcome.err
    first, second = outcome.out.splitlines()
    assert first == (
        "Downloaded votes for 35,887 rows (train 28,709, val 3,589, test 3,589): "
        "fer2013/fer2013new.csv"
    )
    assert second == "Next: mien data info fer2013/fer2013.csv --votes fer2013/fer2013new.csv"
    again = mien("data", "fetch", "ferplus", "--url", mirror)
    assert again.code == 2
    assert "exists already" in again.err


def test_the_address_may_stand_in_the_environment(mien, mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_FERPLUS_URL", mirror)
    assert mien("data", "fetch", "ferplus", "--out", tmp_path / "out").code == 0
    monkeypatch.setenv("MIEN_FERPLUS_URL", f"{mirror}.gone")
    outcome = mien("data", "fetch", "ferplus", "--out", tmp_path / "other")
    assert outcome.code == 2
    assert "404" in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("layout", ["folders", "csv"])
def test_fer2013_without_kagglehub(mien, tmp_path, monkeypatch, layout):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    outcome = mien("data", "fetch", "fer2013", "--layout", layout, "--out", tmp_path / "fer2013")
    assert outcome.code == 2
    assert outcome.out == ""
    assert "pip install 'mien[fetch]'" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "fer2013").exists()


def test_fer2013_says_what_it_found_and_what_comes_next(mien, layouts, tmp_path, monkeypatch):
    shutil.copytree(layouts["folders"], tmp_path / "cache")
    (tmp_path / "kagglehub.py").write_text(
        f"def dataset_download(handle): return {str(tmp_path / 'cache')!r}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "kagglehub", raising=False)
    outcome = mien("data", "fetch", "fer2013", "--out", tmp_path / "my faces")
    sys.modules.pop("kagglehub", None)
    assert outcome.code == 0, outcome.err
    first, second = outcome.out.splitlines()
    assert first.startswith("Downloaded 280 images (train 197, val 41, test 42): ")
    assert second == f"Next: mien data info '{tmp_path / 'my faces'}'"
    assert mien("data", "info", tmp_path / "my faces").code == 0


@pytest.mark.parametrize("verb", ["fer2013", "ferplus"])
def test_each_explains_itself_in_80_columns(mien, verb):
    outcome = mien("data", "fetch", verb, "--help")
    assert outcome.code == 0
    assert "Usage: mien data fetch" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_info_joins_votes(mien, layouts, faces, tmp_path):
    votes = tmp_path / "fer2013new.csv"
    rows = [f"{USAGES[str(split)]},a.png{',1' * 10}" for split in faces.splits]
    votes.write_text("\n".join([HEADER, *rows]))
    assert "(csv, with FER+ votes)" in mien("data", "info", layouts["csv"], "--votes", votes).out
    assert "votes" not in mien("data", "info", layouts["csv"]).out
    facts = json.loads(mien("data", "info", layouts["csv"], "--votes", votes, "--json").out)
    assert facts["votes"] is True

    votes.write_text("\n".join([HEADER, *rows[1:]]))
    outcome = mien("data", "info", layouts["csv"], "--votes", votes)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert "has 279 rows, and fer has 280" in outcome.err
    for layout in ("folders", "parquet"):
        outcome = mien("data", "info", layouts[layout], "--votes", votes)
        assert outcome.code == 2
        assert "give the CSV itself" in outcome.err
