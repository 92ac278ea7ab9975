"""The commands and the code of docs/how-to/serve.md, run as its readers would."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="not installed yet: make setup")

from tests.service.conftest import PHOTO

from mien.service.routes import open_router, router
from mien.service.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "how-to" / "serve.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed here")
def test_the_lines_for_curl_run(server, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(PHOTO)
    lines = blocks("sh")[0].splitlines()
    assert len(lines) == 5
    for line in lines:
        ran = subprocess.run(
            [*shlex.split(line.replace(ADDRESS, server.url)), "-sSf"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        reply = json.loads(ran.stdout)
        for result in reply.get("results", ()):
            assert len(result["faces"]) == 1


def test_the_code_runs(server, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(PHOTO)
    (code,) = blocks("python")
    ran = subprocess.run(
        [sys.executable, "-c", code.replace(ADDRESS, server.url)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert "happy" in ran.stdout


def test_every_route_and_the_limits_are_told():
    for route in [*router.routes, *open_router.routes]:
        assert f"{route.path}`" in TEXT, route.path
    fields = Settings.model_fields
    assert (
        f"{fields['max_body_mb'].default} MB, within {fields['body_timeout'].default:g} s" in TEXT
    )
    assert f"{fields['max_images'].default}, {fields['max_crops'].default:,}" in TEXT
    assert f"{fields['queue'].default}, or {fields['queue_mb'].default} MB" in TEXT
    for flag in re.findall(r"`--([a-z-]+)`", TEXT):
        name = {"origin": "origins", "allow-host": "hosts"}.get(flag, flag.replace("-", "_"))
        assert name in fields, flag
