"""``mien data``: show, audit, review, clean, split, download or draw a data set."""

from __future__ import annotations

import typer

from mien.cli.console import quiet_libraries
from mien.cli.data import audit, clean, explore, fetch, info, review, split, synth

app = typer.Typer(no_args_is_help=True)


@app.callback()
def data(context: typer.Context) -> None:
    """Show, audit, review, clean, split, download or draw a data set."""
    # libpng prints warnings of its own in addition to mien's one line about each bad image.
    context.with_resource(quiet_libraries())


app.command("info")(info.info)
app.command("explore")(explore.explore)
app.command("audit")(audit.audit)
app.command("review")(review.review)
app.command("clean")(clean.clean)
app.command("split")(split.split)
app.add_typer(fetch.app, name="fetch")
app.command("synth")(synth.synth)
