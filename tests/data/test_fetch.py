"""Fetching: from a real server on this machine, and from a stand-in for kagglehub.

The stand-in answers as kagglehub 1.0.2 is documented to; Kaggle itself was never asked.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from mien.data import fetch, load_dataset
from mien.data.fetch import fetch_fer2013, fetch_ferplus
from mien.data.votes import read_votes
from mien.errors import MienError

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
WHOLE = (
    HEADER
    + "\n"
    + "".join(
        f"{usage},fer0000000.png,{row % 11},0,0,1,3,2,0,0,0,0\n"
        for usage, count in (("Training", 28_709), ("PublicTest", 3_589), ("PrivateTest", 3_589))
        for row in range(count)
    )
).encode()


@pytest.fixture
def serve(monkeypatch):
    """Start a server on loopback that answers one thing, and return the address of its file."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    started = []

    def start(body=b"", *, status=200, length=None, raw=None):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if raw is not None:
                    self.wfile.write(raw)
                    return
                self.send_response(status)
                if length != 0:
                    self.send_header("Content-Length", str(length or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        started.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/fer2013new.csv"

    yield start
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()


def assert_one_line_and_nothing_kept(error, folder, *parts):
    line = str(error.value)
    assert "\n" not in line
    for part in parts:
        assert part in line
    assert not folder.exists() or not any(folder.iterdir())


def test_ferplus_is_fetched_whole(serve, tmp_path):
    votes = fetch_ferplus(tmp_path / "new" / "fer2013", url=serve(WHOLE))
    assert votes.path == tmp_path / "new" / "fer2013" / "fer2013new.csv"
    assert votes.path.read_bytes() == WHOLE
    assert [path.name for path in votes.path.parent.iterdir()] == ["fer2013new.csv"]
    np.testing.assert_array_equal(read_votes(votes.path).counts, votes.counts)
    assert votes.split_counts() == {"train": 28_709, "val": 3_589, "test": 3_589}


BAD_ANSWERS = {
    "not there": ({"body": b"404: Not Found", "status": 404}, "the server says 404 Not Found"),
    "broken": ({"status": 500}, "the server says 500"),
    "half of it": (
        {"body": WHOLE[:500_000], "length": len(WHOLE)},
        f"it broke off after 500,000 of {len(WHOLE):,} bytes",
    ),
    # without a length only the rows tell
    "half, cut inside a row": ({"body": WHOLE[:500_000], "length": 0}, "row "),
    "half, cut between rows": (
        {"body": b"".join(WHOLE.splitlines(keepends=True)[:1001]), "length": 0},
        "it has 1,000 rows, expected 35,887: a part of the file?",
    ),
    "a page": ({"body": b"<!DOCTYPE html>\n<p>Sign in"}, "the header is '<!DOCTYPE html>'"),
    "nothing": ({"length": 0}, "the header is ''"),
    "a picture": ({"body": b"\x89PNG\r\n\x1a\n\x00\xff" * 9}, "the header is"),
    "no web server": ({"raw": b"SSH-2.0-OpenSSH_9.2\r\n"}, "SSH-2.0-OpenSSH_9.2"),
    "no end": ({"body": b"x" * (fetch._MAX_BYTES + 1)}, "it has more than 16 MB"),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_another_answer_is_not_kept(serve, tmp_path, answer):
    arguments, expected = BAD_ANSWERS[answer]
    url = serve(**arguments)
    with pytest.raises(MienError) as error:
        fetch_ferplus(tmp_path / "out", url=url)
    assert_one_line_and_nothing_kept(
        error, tmp_path / "out", url, expected, "github.com/microsoft/FERPlus", "--votes", "--url"
    )


def test_nobody_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(MienError) as error:
            fetch_ferplus(tmp_path / "out", url=url)
    assert_one_line_and_nothing_kept(error, tmp_path / "out", "refused", "download fer2013new.csv")


def test_a_server_that_falls_silent_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetch, "_IDLE_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call and says nothing
        with pytest.raises(MienError) as error:
            fetch_ferplus(tmp_path / "out", url=f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert_one_line_and_nothing_kept(error, tmp_path / "out", "timed out")


def test_a_server_that_drips_is_given_up(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_MAX_SECONDS", "0")
    with pytest.raises(MienError) as error:
        fetch_ferplus(tmp_path / "out", url=serve(WHOLE))
    assert_one_line_and_nothing_kept(error, tmp_path / "out", "it took more than 0 s")


@pytest.mark.parametrize("url", ["", "fer2013new.csv", "file:///etc/hostname", "ftp://127.0.0.1/"])
def test_what_is_no_web_address_is_not_opened(tmp_path, url):
    with pytest.raises(MienError) as error:
        fetch_ferplus(tmp_path / "out", url=url)
    assert_one_line_and_nothing_kept(error, tmp_path / "out", "begins with https:// or http://")


@pytest.mark.parametrize("url", ["http://[", "http://127.0.0.1:x/", "http://a b/"])
def test_a_misspelled_address_is_said(tmp_path, url):
    with pytest.raises(MienError) as error:
        fetch_ferplus(tmp_path / "out", url=url)
    assert_one_line_and_nothing_kept(error, tmp_path / "out", "cannot be downloaded")


def test_nothing_is_written_over(serve, tmp_path):
    mine = tmp_path / "fer2013new.csv"
    mine.write_text("mine")
    with pytest.raises(MienError, match=r"fer2013new\.csv: exists already"):
        fetch_ferplus(tmp_path, url=serve(WHOLE))
    assert mine.read_text() == "mine"


@pytest.fixture
def kagglehub(tmp_path, monkeypatch):
    """Make `import kagglehub` find a module of these lines, in place of the real one if any."""
    folder = tmp_path / "stand-in"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "kagglehub", raising=False)

    def write(body):
        (folder / "kagglehub.py").write_text(
            "from types import SimpleNamespace\n"
            "class UnauthenticatedError(Exception):\n"
            "    def __init__(self): super().__init__('User is not authenticated')\n"
            "class CredentialError(Exception): pass\n"
            "class DataCorruptionError(Exception): pass\n"
            "class BackendError(Exception): pass\n"
            "class KaggleApiHTTPError(OSError):\n"
            "    def __init__(self, code):\n"
            "        super().__init__(f'{code} Client Error.\\n\\nSee https://kaggle')\n"
            "        self.response = SimpleNamespace(status_code=code)\n"
            "def answer(handle, path=None):\n"
            "    print('Downloading to the cache ...')\n"
            f"    {body}\n"
            "dataset_download = competition_download = answer\n"
        )

    yield write
    sys.modules.pop("kagglehub", None)


def archive_of(csv: Path, path: Path, name: str = "fer2013/fer2013.csv") -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        tar.add(csv, name)
    return path


def test_the_folder_release_is_copied_out_of_the_cache(kagglehub, layouts, faces, tmp_path, capsys):
    cached = tmp_path / "cache" / "versions" / "1"
    shutil.copytree(layouts["folders"], cached)
    kagglehub(f"return {str(cached)!r} if handle == 'msambare/fer2013' else None")
    dataset = fetch_fer2013(tmp_path / "fer2013")
    assert (dataset.name, dataset.layout, len(dataset)) == ("fer2013", "folders", len(faces))
    assert load_dataset(tmp_path / "fer2013").fingerprint == faces.fingerprint
    assert load_dataset(cached).fingerprint == faces.fingerprint  # still there
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Downloading" in captured.err


def test_the_csv_is_unpacked_out_of_the_cache(kagglehub, layouts, faces, tmp_path):
    archive = archive_of(layouts["csv"], tmp_path / "fer2013.tar.gz")
    kagglehub(f"return {str(archive)!r} if path == 'fer2013.tar.gz' else None")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "fer2013new.csv").write_text("votes, fetched before")
    dataset = fetch_fer2013(tmp_path / "out", layout="csv")
    assert (dataset.name, dataset.layout) == ("fer2013", "csv")
    assert dataset.fingerprint == faces.fingerprint
    assert load_dataset(tmp_path / "out").fingerprint == faces.fingerprint
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["fer2013.csv", "fer2013new.csv"]


REFUSALS = {
    "UnauthenticatedError()": ("User is not authenticated", "make a token", "kaggle.json"),
    "CredentialError('no token')": ("no token", "make a token"),
    "KaggleApiHTTPError(401)": ("the server says 401", "make a token"),
    "KaggleApiHTTPError(403)": ("the server says 403", "make a token"),
    "KaggleApiHTTPError(404)": ("the server says 404", "may have moved"),
    "KaggleApiHTTPError(503)": ("the server says 503", "try again"),
    "ConnectionError('no route to host')": ("no route to host", "check the network"),
    "BackendError('try tomorrow')": ("try tomorrow",),
    "DataCorruptionError('The header said:\\n\\n abc')": ("it arrived damaged", "try again"),
    "ValueError('Invalid Kaggle credentials file at ~/.kaggle')": ("Invalid Kaggle credentials",),
}


@pytest.mark.parametrize("layout", ["folders", "csv"])
@pytest.mark.parametrize("refusal", REFUSALS)
def test_what_kaggle_refuses_is_said_with_a_way_out(kagglehub, tmp_path, refusal, layout):
    kagglehub(f"raise {refusal}")
    with pytest.raises(MienError) as error:
        fetch_fer2013(tmp_path / "out", layout=layout)
    page = {"folders": "datasets/msambare/fer2013", "csv": "competitions/challenges-in-rep"}
    parts = [*REFUSALS[refusal], "by hand from https://www.kaggle.com/" + page[layout], "mien data"]
    if layout == "csv" and "make a token" in parts:
        parts.append("accept the rules at https://www.kaggle.com/competitions/challenges-in-rep")
    assert_one_line_and_nothing_kept(error, tmp_path / "out", *parts)


def test_without_kagglehub_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(MienError) as error:
        fetch_fer2013(tmp_path / "out")
    assert_one_line_and_nothing_kept(
        error, tmp_path / "out", "kagglehub, which is not installed", "pip install 'mien[fetch]'",
        "by hand from https://www.kaggle.com/datasets/msambare/fer2013",
    )  # fmt: skip


def test_what_kaggle_sent_is_read_before_it_is_kept(kagglehub, tmp_path):
    folder = tmp_path / "cache" / "train" / "happy"
    folder.mkdir(parents=True)
    (folder / "Training_1.jpg").write_text("no picture")
    kagglehub(f"return {str(tmp_path / 'cache')!r}")
    with pytest.raises(MienError) as error:
        fetch_fer2013(tmp_path / "out")
    assert_one_line_and_nothing_kept(
        error,
        tmp_path / "out",
        f"{tmp_path / 'out'}/train/happy/Training_1.jpg",
        "nothing was kept",
    )


AGAIN = ("cannot be unpacked", "remove it and try again")
WRONG_ARCHIVES = {
    "cut": (lambda whole, path: path.write_bytes(whole.read_bytes()[:5000]), AGAIN),
    "a page": (lambda _, path: path.write_text("<!DOCTYPE html>"), AGAIN),
    "another": (
        lambda whole, path: archive_of(whole, path, "fer2013/README"),
        ("has no fer2013.csv in it", "see https://www.kaggle.com/competitions/"),
    ),
}


@pytest.mark.parametrize("kind", WRONG_ARCHIVES)
def test_a_wrong_archive_is_named(kagglehub, layouts, tmp_path, kind):
    write, parts = WRONG_ARCHIVES[kind]
    whole = archive_of(layouts["csv"], tmp_path / "whole.tar.gz")
    archive = tmp_path / "fer2013.tar.gz"
    write(whole, archive)
    kagglehub(f"return {str(archive)!r}")
    with pytest.raises(MienError) as error:
        fetch_fer2013(tmp_path / "out", layout="csv")
    assert_one_line_and_nothing_kept(error, tmp_path / "out", str(archive), *parts)


def test_what_is_there_already_is_refused_before_kaggle_is_asked(kagglehub, tmp_path):
    kagglehub("raise AssertionError('asked')")
    (tmp_path / "fer2013.csv").write_text("mine")
    for layout in ("folders", "csv"):
        with pytest.raises(MienError, match="exists already"):
            fetch_fer2013(tmp_path, layout=layout)
    assert (tmp_path / "fer2013.csv").read_text() == "mine"


def test_nothing_is_fetched_at_import(kagglehub, tmp_path):
    kagglehub("return ''")
    code = "import sys, mien.data.fetch, mien.cli.main; sys.exit('kagglehub' in sys.modules)"
    found = {**os.environ, "PYTHONPATH": str(tmp_path / "stand-in")}
    assert subprocess.run([sys.executable, "-c", code], env=found, check=False).returncode == 0
