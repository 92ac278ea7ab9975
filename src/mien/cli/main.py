"""The command ``mien``: its verbs, and what becomes of an error.

Every verb imports what it needs when it runs, so that ``mien --help`` answers at once.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from mien.cli import (
    bench,
    compare,
    data,
    demo,
    evaluate,
    explain,
    export,
    fetch,
    predict,
    report,
    sweep,
    train,
)
from mien.errors import Interrupted, MienError
from mien.version import VERSION

CANNOT_DO = 2
NO_MEMORY = "not enough memory; close other programs, or take fewer images or smaller batches"
STOPPED = 130  # what a shell expects of a program that Ctrl-C ended

app = typer.Typer(
    name="mien",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
app.command("demo")(demo.demo)
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("sweep")(sweep.sweep)
app.command("export")(export.export)
app.command("fetch")(fetch.fetch)
app.command("bench")(bench.bench)
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("report")(report.report)


@app.callback(
    epilog=(
        "Expressions are not feelings. In the EU, inferring people's emotions at work or in "
        "education is prohibited."
    ),
    invoke_without_command=True,
)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Read facial expressions: look at face data, train a network on it, measure it honestly,
    and read the faces in your photos.

    New here? [bold]mien demo[/bold] does all of it once, on drawn faces.
    """  # noqa: D205 - the first paragraph is what --help shows
    if version:
        print(f"mien {VERSION}")
        raise typer.Exit


def main() -> None:
    """Run the command line; what the user can mend becomes one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows ASCII only gets ? for the rest
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except Interrupted as stop:
        _say(str(stop))
        sys.exit(STOPPED)
    except Exception as error:
        line = _in_words(error)
        if not line:
            raise
        _say(line)
    sys.exit(CANNOT_DO)


def _in_words(error: Exception) -> str:
    """Return an error that the user can mend as a line; empty for one that we have to mend."""
    match error:
        case MienError():
            return str(error)
        case ModuleNotFoundError() if (error.name or "").split(".")[0] != "mien":
            extra = "train,sweep" if error.name == "optuna" else "train"
            return f"this needs {error.name}, which is not installed: pip install 'mien[{extra}]'"
        case MemoryError():
            return NO_MEMORY
        case RuntimeError() if _is_lack_of_memory(error):
            return NO_MEMORY
        case OSError():
            return f"{error.filename or 'a file'}: {error.strerror or error}"
    return ""


def _is_lack_of_memory(error: RuntimeError) -> bool:
    """Return whether torch, which is not imported here, found too little memory."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _say(line: str) -> None:
    print(f"mien: {line}", file=sys.stderr)
