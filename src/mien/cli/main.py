"""The command ``mien``: its verbs, its help, and its one-line errors.

Every verb imports what it needs when it runs, so that ``mien --help`` answers at once.
"""

from __future__ import annotations

import inspect
import io
import sys
from itertools import pairwise
from typing import Annotated, Any, Final

import typer
import typer.core

from mien.cli import (
    batch,
    bench,
    compare,
    data,
    demo,
    evaluate,
    explain,
    export,
    fetch,
    predict,
    recipes,
    report,
    serve,
    sweep,
    train,
    web,
)
from mien.errors import CANNOT_DO, STOPPED, Interrupted, MienError, install_hint
from mien.io.text import one_line
from mien.registry import plugin_at_fault
from mien.version import VERSION

NO_MEMORY: Final = "not enough memory; close other programs, or use fewer images or smaller batches"


class _DataSecond(typer.core.TyperGroup):
    """Lists the group `data` after the first verb, where typer lists groups last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all verbs, in the order of `mien --help`."""
        first, *others = super().list_commands(ctx)
        return [first, "data", *(name for name in others if name != "data")]


app = typer.Typer(
    name="mien",
    cls=_DataSecond,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
_TRAIN, _MEASURE, _READ = "Train", "Measure and explain", "Read faces"  # panels of --help
app.command("demo", rich_help_panel="Start here")(demo.demo)
app.add_typer(data.app, name="data", rich_help_panel="Data")
app.command("recipes", rich_help_panel=_TRAIN)(recipes.recipes)
app.command("train", rich_help_panel=_TRAIN)(train.train)
app.command("sweep", rich_help_panel=_TRAIN)(sweep.sweep)
app.command("export", rich_help_panel=_TRAIN)(export.export)
app.command("evaluate", rich_help_panel=_MEASURE)(evaluate.evaluate)
app.command("compare", rich_help_panel=_MEASURE)(compare.compare)
app.command("report", rich_help_panel=_MEASURE)(report.report)
app.command("explain", rich_help_panel=_MEASURE)(explain.explain)
app.command("predict", rich_help_panel=_READ)(predict.predict)
app.command("batch", rich_help_panel=_READ)(batch.batch)
app.command("serve", rich_help_panel=_READ)(serve.serve)
app.command("web", rich_help_panel=_READ)(web.web)
app.command("fetch", rich_help_panel=_READ)(fetch.fetch)
app.command("bench", rich_help_panel=_READ)(bench.bench)


@app.callback(
    epilog=(
        "Expressions are not feelings. In the EU, inferring people's emotions at work or in "
        "education is prohibited."
    ),
    invoke_without_command=True,
)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Read facial expressions: audit face data, train a network on it, measure it, explain it,
    and read the faces in your photos and videos.

    New here? [bold]mien demo[/bold] does all of it once, on drawn faces.
    """  # noqa: D205 - the first paragraph is what --help shows
    if version:
        print(f"mien {VERSION}")
        raise typer.Exit


def _join_paragraphs(group: typer.Typer) -> None:
    """Join the lines of each paragraph of the help, which typer would break at the same points."""
    for command in group.registered_commands:
        paragraphs = inspect.cleandoc(inspect.getdoc(command.callback) or "").split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for inner in group.registered_groups:
        if inner.typer_instance:
            _join_paragraphs(inner.typer_instance)


_join_paragraphs(app)


def main() -> None:
    """Run the command line; print an error that the user can fix as one line, and exit with 2."""
    for stream in (sys.stdout, sys.stderr):  # an ASCII terminal gets ? for other characters
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        _refuse_odd(sys.argv[1:])
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


def _refuse_odd(arguments: list[str]) -> None:
    """Raise a MienError for an argument that is no option and no path, which typer would take.

    It takes an empty one for the current folder, and prints an unknown option as it is.
    """
    for before, argument in pairwise(["mien", *arguments]):
        option, _, value = argument.partition("=")
        if option.startswith("-") and option != one_line(option):
            raise MienError(f"{option}: no such option; write ./ before a file of that name")
        if not argument or (option.startswith("--") and option != argument and not value):
            where = f"{option or before}: " if (option or before).startswith("-") else ""
            raise MienError(
                f"{where}an empty argument, expected a path or another value; is a variable of the "
                "shell unset?"
            )


def _in_words(error: Exception) -> str:
    """Return one line about an error that the user can fix; empty for a defect of mien."""
    if not isinstance(error, MienError) and (line := plugin_at_fault(error)):
        return line
    match error:
        case MienError():
            return str(error)
        case ModuleNotFoundError() if (error.name or "").split(".")[0] != "mien":
            return f"this needs {error.name}, which is not installed: {install_hint(error.name)}"
        case MemoryError():
            return NO_MEMORY
        case RuntimeError() if _is_lack_of_memory(error):
            return NO_MEMORY
        case OSError():
            return f"{error.filename or 'a file'}: {error.strerror or error}"
    return ""


def _is_lack_of_memory(error: RuntimeError) -> bool:
    """Return whether torch, which is not imported here, ran out of memory."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _say(line: str) -> None:
    print(f"mien: {one_line(line)}", file=sys.stderr)
