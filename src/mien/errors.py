"""The errors that a user of mien can cause and fix, and suggestions for misspelled words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

CANNOT_DO: Final = 2  # exit code after an error that the user can fix
STOPPED: Final = 130  # exit code after Ctrl-C, as shells expect it


class MienError(Exception):
    """An error that the user can fix: what happened, where, what was expected, how to fix it."""


class DataError(MienError):
    """A data set, or one file or row of it, is not what its layout says it should be."""


class RecipeError(MienError):
    """A recipe has an unknown key or a value that cannot be used."""


class RunError(MienError):
    """A run directory is missing, damaged, unfinished or in the way."""


class BundleError(MienError):
    """A file is not a Bundle, or is a Bundle that this version cannot read."""


class SourceError(MienError):
    """A source of faces cannot be read.

    Attributes:
        item: position, from 0, of the item in the list of sources that was given; None if it is
            unknown.
    """

    item: int | None = None


class Interrupted(MienError):  # noqa: N818 - nothing went wrong
    """The user stopped the work; the message says what was kept and how to continue."""


# Extras that bring a package, by the name that is imported. All others come with train.
_EXTRAS: Final = {
    "fastapi": "serve",
    "h11": "serve",
    "httpx": "serve",
    "jinja2": "report",
    "markupsafe": "report",
    "matplotlib": "report",
    "optuna": "train,sweep",
    "prometheus_client": "serve",
    "pyarrow": "report",
    "python_multipart": "serve",
    "ray": "cluster",
    "scipy": "report",
    "sklearn": "report",
    "starlette": "serve",
    "tomli_w": "report",
    "uvicorn": "serve",
    "websockets": "serve",
}


def install_hint(module: str | None) -> str:
    """Return the command that installs a package which cannot be imported.

    Args:
        module: name of the module, such as ``matplotlib.figure``.
    """
    extra = _EXTRAS.get((module or "").split(".")[0], "train")
    return f"pip install 'mien[{extra}]'"


def first_line(error: BaseException, *, most: int = 100) -> str:
    """Return the first line of an error's message, or the error's class if it has no message.

    Args:
        error: error of another library, whose message may have many lines.
        most: largest number of characters.
    """
    return (str(error).splitlines() or [type(error).__name__])[0][:most]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` with the known word nearest to ``word``, or nothing."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
