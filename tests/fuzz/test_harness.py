"""The harness itself finds what it is made to find."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.fuzz.harness import fuzz

from mien.errors import DataError


def faulty(data: bytes) -> None:
    """Break a rule for inputs that begin with t, m or s."""
    if data.startswith(b"t"):
        int(data)  # a ValueError
    if data.startswith(b"m"):
        len(b"1" * (150 << 20))
    if data.startswith(b"s"):
        began = time.process_time()
        while time.process_time() < began + 0.3:
            pass


def killed(data: bytes) -> None:
    """Kill the process."""
    if data.startswith(b"k"):
        os.abort()


def test_what_breaks_a_rule_fails_and_is_kept_and_replayed(tmp_path: Path) -> None:
    corpus, first = tmp_path / "corpus", tmp_path / "first"
    first.mkdir()
    with pytest.raises(pytest.fail.Exception, match="Replay") as failure:
        fuzz(faulty, [b"1"], first, runs=300, seconds=120, words=[b"t", b"m", b"s"], max_mb=100,
             max_s=0.2, max_bytes=2, corpus=corpus)  # fmt: skip
    for message in ("invalid literal for int", "MiB of memory; at most 100", "s of CPU time; at"):
        assert message in str(failure.value)
    kept = {path.name: path.read_bytes()[:1] for path in (corpus / "faulty").iterdir()}
    assert kept == {"ValueError-test_harness-faulty": b"t", "memory": b"m", "slow": b"s"}
    with pytest.raises(pytest.fail.Exception, match="0 new inputs"):
        fuzz(faulty, [b"1"], tmp_path, max_mb=100, max_s=0.2, corpus=corpus)


def test_an_input_that_kills_the_process_is_kept(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="1 new inputs"):
        fuzz(killed, [b"1"], tmp_path, runs=3000, words=[b"k"], max_bytes=1, corpus=tmp_path)
    (kept,) = (tmp_path / "killed").iterdir()
    assert kept.read_bytes() == b"k"


def refused(data: bytes) -> None:
    """Refuse all but the seed."""
    if data != b"seed":
        raise DataError("one line")


def test_refusals_are_no_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fuzz(refused, [b"seed"], tmp_path, runs=500, corpus=tmp_path / "corpus")
    assert "refused: Done 500 runs" in capsys.readouterr().out
