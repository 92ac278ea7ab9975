"""``mien serve``, as a user calls it; the service itself is tested in tests/service."""

from __future__ import annotations

import inspect
import re
import socket
import subprocess
import sys

import pytest

pytest.importorskip("fastapi", reason="not installed yet: make setup")

from mien.cli.serve import serve
from mien.service.settings import Settings


def test_the_defaults_that_the_help_names_are_those_of_the_settings(mien, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", mien("serve", "--help").out).split())
    named = dict(re.findall(r"--([a-z-]+) [A-Z]+ (?:(?!--).)*?Default: ([\w.]+)", text))
    stated = {
        name.replace("_", "-"): str(field.default).removesuffix(".0")
        for name, field in Settings.model_fields.items()
    }
    same = [name for name in named.keys() & stated.keys() if named[name] == stated[name]]
    assert sorted(named.keys() - same) == ["allow-host", "threads"]  # which a phrase describes
    assert len(same) >= 14


def test_every_setting_has_an_option_but_the_key():
    assert set(inspect.signature(serve).parameters) == set(Settings.model_fields) - {"key"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "needs an API key: set MIEN_SERVE_KEY or --key-file"),
        (["--key-file", "missing"], "missing: cannot be read"),
        (["--model", "nothing"], "no such run, Bundle file or shipped Bundle"),
        (["--detector", "nothing"], "expected auto"),
        (["--queue", "0"], "queue: "),
        (["--workers", "2", "--model", "nothing"], "no such run, Bundle file"),
    ],
)
def test_what_cannot_be_used_is_one_line(mien, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    outcome = mien("serve", "--port", "0", *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_port_that_is_taken_is_one_line(mien):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = mien("serve", "--port", str(port))
    assert outcome.code == 2
    assert f"127.0.0.1:{port}: cannot listen there" in outcome.err


def test_without_the_extra_it_says_what_to_install():
    program = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "sys.argv = ['mien', 'serve']\n"
        "from mien.cli.main import main\nmain()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 2
    assert ran.stderr.endswith("pip install 'mien[serve]'\n")
