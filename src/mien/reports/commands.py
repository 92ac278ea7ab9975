"""Commands that a reader of a page can copy and run as they stand."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mien.runs.run import Run


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
