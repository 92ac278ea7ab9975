"""The files in deploy/ are parsed, and what they name is there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="not installed yet: make setup")

from typer.main import get_command

from mien.cli.main import app
from mien.service.routes import open_router
from mien.service.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
pytestmark = pytest.mark.skipif(not DEPLOY.is_dir(), reason="the sdist has no such folder")


def instructions() -> list[tuple[str, str]]:
    """Return each instruction of the Containerfile with its arguments, lines joined."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    pairs = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    assert all(name.isupper() for name, _ in pairs)
    return [(name, arguments) for name, arguments in pairs]


def given(name: str) -> list[str]:
    return [arguments for word, arguments in instructions() if word == name]


def settings_of(words: list[str], variables: dict[str, str]) -> Settings:
    """Return the settings of a command line ``mien serve ...`` and its environment."""
    assert [Path(words[0]).name, words[1]] == ["mien", "serve"]
    command = get_command(app).commands["serve"]
    flags = command.make_context("serve", words[2:]).params
    own = {name: value for name, value in variables.items() if name.startswith(PREFIX)}
    return Settings.from_environment(
        own, **{name: None if value is False else value for name, value in flags.items()}
    )


def test_the_container_copies_what_is_there_and_installs_an_extra_that_is():
    for arguments in given("COPY"):
        *sources, _ = arguments.split()
        for source in sources:
            assert (ROOT / source).exists(), source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (run,) = given("RUN")
    (extra,) = re.findall(r"'\.\[(\w+)\]'", run)
    assert extra in project["optional-dependencies"]
    assert "-c constraints.txt" in run
    copied = " ".join(given("COPY"))
    assert project["readme"] in copied
    assert all(name in copied for name in project["license-files"])
    (base,) = given("FROM")
    least = re.search(r"\d+\.\d+", project["requires-python"])[0]
    assert base == f"python:{least}-slim"


def test_the_container_serves_with_a_key_and_checks_itself():
    (environment,) = given("ENV")
    variables = dict(word.split("=", 1) for word in shlex.split(environment))
    (entry,) = given("ENTRYPOINT")
    settings = settings_of([*json.loads(entry), "--key-file", "/run/key"], variables)
    assert (settings.host, settings.insecure) == ("0.0.0.0", False)
    assert given("EXPOSE") == [str(settings.port)]
    assert given("STOPSIGNAL") == ["SIGTERM"]
    (user,) = given("USER")
    assert int(user.split(":")[0]) > 0
    (check,) = given("HEALTHCHECK")
    (address,) = re.findall(r"http://127\.0\.0\.1:(\d+/\w+)", check)
    port, path = address.split("/")
    assert int(port) == settings.port
    assert f"/{path}" in [route.path for route in open_router.routes]
    json.loads(check[check.index("[") :])


def unit() -> dict[str, list[str]]:
    """Return the settings of the unit's service, each with all of its values."""
    section, found = "", {}
    for line in (DEPLOY / "mien.service").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(f"{section}.{name}", []).append(value)
    return found


def test_the_unit_starts_what_there_is_and_waits_for_its_stop():
    found = unit()
    (start,) = found["Service.ExecStart"]
    words = shlex.split(" ".join(found["Service.Environment"]))
    variables = dict(word.split("=", 1) for word in words)
    settings = settings_of(shlex.split(start), variables)
    assert settings.host == "127.0.0.1"
    (credential,) = found["Service.LoadCredential"]
    assert str(settings.key_file) == f"%d/{credential.split(':')[0]}"
    assert int(found["Service.TimeoutStopSec"][0]) > settings.stop_timeout
    assert found["Service.KillSignal"] == ["SIGTERM"]
    (cache,) = found["Service.CacheDirectory"]
    assert variables["MIEN_CACHE"] == f"/var/cache/{cache}"
    for name in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "ProtectHome"):
        assert found[f"Service.{name}"] == ["yes"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_systemd_finds_nothing_wrong(tmp_path):
    text = (DEPLOY / "mien.service").read_text(encoding="utf-8")
    path = tmp_path / "mien.service"
    path.write_text(text.replace("/opt/mien/bin/mien", "/bin/true"), encoding="utf-8")
    ran = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
    assert "mien.service" not in ran.stderr
