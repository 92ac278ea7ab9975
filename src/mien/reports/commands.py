"""Commands that a reader of a page can copy and run as they stand."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mien.runs.run import Run

# Keys of a recipe that read a data set as options of mien data do.
_KEYS: Final = {
    "--labels": "data.labels",
    "--size": "data.size_px",
    "--channels": "data.channels",
}


def train_again(run: Run, settings: Sequence[str] = (), *, suffix: str = "again") -> str:
    """Return the command that trains a run again, into a new directory beside it.

    Args:
        run: finished run.
        settings: settings to change, such as ``train.epochs=40``.
        suffix: end of the new directory's name.
    """
    words = ["mien", "train", str(run.path / "recipe.toml")]
    for path in run.record.data.paths:
        words += ["--data", path]
    words += ["--skip-bad"] if run.record.data.skip_bad else []
    for setting in settings:
        words += ["--set", setting]
    return shlex.join([*words, "--out", f"{run.path}-{suffix}"])


def data_command(
    verb: str,
    paths: Sequence[str | Path],
    options: Mapping[str, object],
    *,
    skip_bad: bool = False,
    rest: Sequence[str] = (),
) -> str:
    """Return a command of ``mien data`` about a data set.

    Args:
        verb: name of the command, such as ``clean``.
        paths: paths of the data set.
        options: options that the data set is read with, such as ``--labels``; None for one that is
            not given.
        skip_bad: True to leave out images that cannot be used.
        rest: further words of the command.
    """
    words = ["mien", "data", verb, *map(str, paths)]
    for option, value in options.items():
        words += [] if value is None else [option, str(value)]
    words += ["--skip-bad"] if skip_bad else []
    return shlex.join([*words, *rest])


def train_first(
    paths: Sequence[str | Path], options: Mapping[str, object], *, skip_bad: bool = False
) -> str:
    """Return the command that trains a small network on a data set.

    Args:
        paths: paths of the data set.
        options: options that it is read with, as for `data_command`.
        skip_bad: True to leave out images that cannot be used.
    """
    words = ["mien", "train", "quick"]
    for path in paths:
        words += ["--data", str(path)]
    for option, key in _KEYS.items():
        words += [] if options.get(option) is None else ["--set", f"{key}={options[option]}"]
    return shlex.join([*words, *(["--skip-bad"] if skip_bad else [])])


def clean_and_train(
    paths: Sequence[Path], options: Mapping[str, object], *, skip_bad: bool
) -> list[str]:
    """Return the commands that write a cleaned copy of a data set, and train on it.

    Args:
        paths: paths of the data set.
        options: options that the data set is read with, such as ``--labels``; None for one that is
            not given.
        skip_bad: True to leave out images that cannot be used.
    """
    first = paths[0]
    ending = "".join(first.suffixes[-2:]) if first.name.endswith(".gz") else first.suffix
    name = first.name.removesuffix(ending) if first.is_file() else first.name
    kind = ending.removesuffix(".gz") if first.is_file() else ""
    copy = first.with_name(f"{name}-clean{kind}")
    clean = data_command("clean", paths, options, skip_bad=skip_bad, rest=("--out", str(copy)))
    return [clean, train_first([copy], options)]
