"""``mien data``: look at a data set, audit, clean, split or draw one."""

from __future__ import annotations

import typer

from mien.cli.console import quiet_libraries
from mien.cli.data import audit, clean, explore, fetch, info, split, synth

app = typer.Typer(no_args_is_help=True)


@app.callback()
def data(context: typer.Context) -> None:
    """Look at a data set, audit, clean, split, fetch or draw one."""
    # What cannot be decoded gets one line of mien's, without libpng's own.
    context.with_resource(quiet_libraries())


app.command("info")(info.info)
app.command("explore")(explore.explore)
app.command("audit")(audit.audit)
app.command("clean")(clean.clean)
app.command("split")(split.split)
app.add_typer(fetch.app, name="fetch")
app.command("synth")(synth.synth)
