"""Fuzz one parser: mutate valid files, and fail on all that is not a MienError, on memory and time.

A target is a module-level function that takes the bytes of one input. A child process imports its
module and calls it, so that neither a crash nor the memory of an input harms the tests. What is
found is saved in corpus/TARGET, and every file there is replayed by every run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from mien.errors import MienError

Target = Callable[[bytes], object]

CORPUS: Final = Path(__file__).parent / "corpus"
_ROOT: Final = Path(__file__).parents[2]
_SHARED: Final = Path("/dev/shm")  # Linux's file system in memory
_MB: Final = 1 << 20
_SPARE_MB: Final = 2048  # address space beyond the declared memory, for libraries and threads
# Inputs of one child process: the memory of Atheris itself grows by some kilobytes an input.
_PART_RUNS: Final = 100_000
_MOST_FOUND: Final = 20  # kinds of failures in one run


def fuzz(
    target: Target,
    seeds: Iterable[bytes],
    folder: Path,
    *,
    seconds: int = 3,
    runs: int = -1,
    max_mb: int = 512,
    max_s: float = 5.0,
    max_bytes: int = 4096,
    words: Iterable[bytes] = (),
    corpus: Path = CORPUS,
) -> None:
    """Call a target with mutated seeds; fail if an input ends in anything but a MienError.

    Args:
        target: module-level function; its name names its folder in the corpus.
        seeds: small valid files to start from.
        folder: an empty folder for the inputs, such as pytest's ``tmp_path``.
        seconds: longest duration of the run; 0 means no limit, for tests marked slow.
        runs: number of inputs; -1 means as many as fit in ``seconds``.
        max_mb: largest growth of the process's memory by one input, in MiB.
        max_s: largest CPU time of one input, in seconds.
        max_bytes: size of the largest input.
        words: parts that the format gives a meaning, such as names of fields or chunks.
        corpus: folder of the found inputs.
    """
    call = (f"{target.__module__}:{target.__name__}", max_mb, max_s, corpus / target.__name__)
    kept = _files(call[3])
    if kept:
        _child("replay", call, *kept)
    pytest.importorskip("atheris", reason="Atheris has no wheels for this platform")
    inputs, dictionary = folder / "inputs", folder / "words"
    inputs.mkdir()
    for index, seed in enumerate(seeds):
        (inputs / f"seed-{index}").write_bytes(seed)
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in (*words, b"\0"))
    dictionary.write_text("".join(f'"{word}"\n' for word in quoted))
    for part, start in enumerate(range(0, max(runs, 1), _PART_RUNS), start=1):
        options = {
            "runs": min(runs - start, _PART_RUNS) if runs > 0 else runs,
            "max_total_time": seconds,
            "max_len": max_bytes,
            "timeout": max(1, round(4 * max_s)),  # in case that the input never returns
            "rss_limit_mb": 0,  # checked here, after each input
            "seed": part,
            "dict": dictionary,
            "artifact_prefix": f"{call[3]}/",
        }
        flags = (f"-{key}={value}" for key, value in options.items())
        output = _child("fuzz", call, *flags, inputs)  # adds what it learned to the inputs
        done = [line for line in output.splitlines() if line.startswith("Done ")]
        assert done, output[-4000:]
        print(f"{target.__name__}: {done[-1]}", flush=True)


def memory_folder() -> Path:
    """Return the child's own temporary folder, in memory, for targets whose parsers take paths."""
    return Path(tempfile.gettempdir())


def _files(corpus: Path) -> list[Path]:
    return sorted(corpus.iterdir()) if corpus.exists() else []


def _child(mode: str, call: tuple[str, int, float, Path], *rest: object) -> str:
    """Return the output of a child process that fuzzes or replays; fail if it found anything."""
    name, *_, corpus = call
    before = _files(corpus)
    with tempfile.TemporaryDirectory(dir=_SHARED if _SHARED.is_dir() else None) as own:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.harness", mode, *map(str, (*call, *rest))],
            cwd=_ROOT,
            env={**os.environ, "TMPDIR": own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    output = ended.stdout.decode(errors="replace")
    with suppress(OSError):  # it is not empty, or was never made
        corpus.rmdir()
    found = [path for path in _files(corpus) if path not in before]
    if ended.returncode or found:
        again = "python -m tests.fuzz.harness replay " + " ".join(map(str, (*call, *found)))
        pytest.fail(
            f"{name}: an input is not refused with a MienError. {len(found)} new inputs are in "
            f"{corpus}, and tests from now on: mend, and commit them. Replay:\n{again}\n"
            f"{output[-8000:]}",
            pytrace=False,
        )
    return output


class _Watch:
    """Call a target with each input, and save those that break a rule, one of each kind."""

    def __init__(self, target: Target, max_mb: float, max_s: float, corpus: Path | None) -> None:
        self._target, self._max_mb, self._max_s, self._corpus = target, max_mb, max_s, corpus
        self.found: set[str] = set()

    def __call__(self, data: bytes) -> None:
        Path("/proc/self/clear_refs").write_bytes(b"5")  # forget the peak of memory
        before, began = _status_mb("VmRSS"), time.process_time()
        try:
            self._target(data)
        except MienError:
            pass
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)[1:]
            at = ([one for one in frames if "/mien/" in one.filename] or frames)[-1]
            kind = f"{type(error).__name__}-{Path(at.filename).stem}-{at.name.strip('<>')}"
            self._report(kind, data, traceback.format_exc())
        took, grown = time.process_time() - began, _status_mb("VmHWM") - before
        if grown > self._max_mb:
            self._report("memory", data, f"{grown:.0f} MiB of memory; at most {self._max_mb} MiB")
        elif took > self._max_s:
            self._report("slow", data, f"{took:.1f} s of CPU time; at most {self._max_s} s")

    def _report(self, kind: str, data: bytes, message: str) -> None:
        if kind in self.found or len(self.found) == _MOST_FOUND:
            return
        self.found.add(kind)
        print(f"{kind}, {len(data)} bytes: {data[:200]!r}\n{message}", flush=True)
        if self._corpus is not None:
            (self._corpus / kind).write_bytes(data)


def _status_mb(field: str) -> float:
    status = Path("/proc/self/status").read_bytes()
    at = status.index(field.encode()) + len(field) + 1
    return int(status[at : status.index(b"kB", at)]) / 1024


def _main(mode: str, name: str, max_mb: float, max_s: float, corpus: Path, *rest: str) -> None:
    os.environ["MIEN_CACHE"] = str(memory_folder() / "mien-cache")
    if mode == "fuzz":
        import atheris  # not on every platform

        atheris.instrument_imports(include=["mien"]).__enter__()  # for later imports too
        corpus.mkdir(parents=True, exist_ok=True)
    module, function = name.split(":")
    target = getattr(__import__(module, fromlist=[function]), function)
    seeds = Path(rest[-1]).glob("seed-*") if mode == "fuzz" else ()
    for seed in seeds:  # imports what is imported lazily; a seed must be read
        target(seed.read_bytes())
    with suppress(MienError):
        target(b"")
    most = int((_status_mb("VmSize") + max_mb + _SPARE_MB) * _MB)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    watch = _Watch(target, max_mb, max_s, corpus if mode == "fuzz" else None)
    if mode == "fuzz":
        atheris.Setup([sys.argv[0], *rest], watch)
        atheris.Fuzz()
    for path in rest:
        watch(Path(path).read_bytes())
    sys.exit(bool(watch.found))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5]),
          *sys.argv[6:])  # fmt: skip
