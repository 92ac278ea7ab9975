"""Settings of the service, from flags and from the environment."""

from __future__ import annotations

import pytest

from mien.errors import MienError
from mien.service.settings import Settings, is_loopback

KEY = "0123456789abcdef"


def settings(environment=None, **flags):
    return Settings.from_environment(environment or {}, **flags)


def test_flags_come_before_variables_and_both_before_defaults():
    made = settings({"MIEN_SERVE_PORT": "9000", "MIEN_SERVE_QUEUE": "7"}, port=1234, queue=None)
    assert (made.port, made.queue, made.host) == (1234, 7, "127.0.0.1")
    assert settings({"MIEN_SERVE_PORT": ""}).port == 8000
    assert settings({"MIEN_SERVE_INSECURE": "1"}, host="0.0.0.0").insecure
    many = settings({"MIEN_SERVE_ORIGINS": "https://a.example, https://b.example"})
    assert many.origins == ("https://a.example", "https://b.example")


def test_another_process_makes_the_same_settings():
    made = settings(
        {"MIEN_SERVE_KEY": KEY}, host="0.0.0.0", hosts=["a", "b"], min_score=0.5, insecure=False
    )
    assert Settings.from_environment(made.as_environment()) == made
    assert KEY not in repr(made)


@pytest.mark.parametrize(
    ("environment", "flags", "said"),
    [
        ({"MIEN_SERVE_PROT": "1"}, {}, "MIEN_SERVE_PROT: no such setting"),
        ({"MIEN_SERVE_PROT": "1"}, {}, "did you mean 'MIEN_SERVE_PORT'"),
        ({"MIEN_SERVE_PORT": "many"}, {}, "port: "),
        ({}, {"port": 70000}, "port: "),
        ({}, {"queue": 0}, "queue: "),
        ({}, {"timeout": float("nan")}, "timeout: "),
        ({}, {"origins": ["*"]}, r"origins: \*: expected an origin"),
        ({}, {"origins": ["https://a.example/path"]}, "expected an origin"),
        ({}, {"host": "0.0.0.0"}, "needs an API key"),
        ({}, {"host": "::"}, "needs an API key"),
        ({}, {"host": ""}, "needs an API key"),
        ({}, {"host": "192.168.1.2"}, "needs an API key"),
        ({}, {"host": "my-machine"}, "needs an API key"),
    ],
)
def test_what_cannot_be_used_is_refused(environment, flags, said):
    with pytest.raises(MienError, match=said) as error:
        settings(environment, **flags)
    assert "\n" not in str(error.value)


def test_a_key_or_a_word_lets_other_machines_in(tmp_path):
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert settings({"MIEN_SERVE_KEY": KEY}, host="0.0.0.0").read_key() == KEY
    assert settings(host="::", key_file=tmp_path / "key").read_key() == KEY
    assert settings(host="0.0.0.0", insecure=True).read_key() is None
    both = settings({"MIEN_SERVE_KEY": "x" * 20}, key_file=tmp_path / "key")
    assert both.read_key() == KEY  # the flag comes first


@pytest.mark.parametrize("key", ["", "short", "with a space in it", "ä" * 20, "x" * 600])
def test_weak_and_odd_keys_are_refused(tmp_path, key):
    (tmp_path / "key").write_text(key, encoding="utf-8")
    with pytest.raises(MienError, match="16 to 512 printable"):
        settings(key_file=tmp_path / "key").read_key()


def test_a_key_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(MienError, match="cannot be read"):
        settings(key_file=tmp_path / "missing").read_key()


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "", "10.0.0.1", "example.com", "localhost.x")],
)
def test_loopback(host, is_it):
    assert is_loopback(host) is is_it
