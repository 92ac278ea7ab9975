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


def clean_and_train(paths: Sequence[Path], options: Mapping[str, object]) -> list[str]:
    """Return the commands that write a cleaned copy of a data set, and train on it.

    Args:
        paths: paths of the data set.
        options: options that the data set is read with, such as ``--labels``; None for one that is
            not given.
    """
    given = {name: str(value) for name, value in options.items() if value is not None}
    first = paths[0]
    ending = "".join(first.suffixes[-2:]) if first.name.endswith(".gz") else first.suffix
    name = first.name.removesuffix(ending) if first.is_file() else first.name
    kind = ending.removesuffix(".gz") if first.is_file() else ""
    copy = str(first.with_name(f"{name}-clean{kind}"))
    clean = ["mien", "data", "clean", *map(str, paths)]
    train = ["mien", "train", "quick", "--data", copy]
    for option, value in given.items():
        clean += [option, value]
        train += ["--set", f"{_KEYS[option]}={value}"] if option in _KEYS else []
    clean += ["--out", copy]
    return [shlex.join(clean), shlex.join(train)]
