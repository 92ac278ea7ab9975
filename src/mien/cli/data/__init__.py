"""``mien data``: look at a data set, audit, clean, split or draw one."""

from __future__ import annotations

import typer

from mien.cli.data import explore, fetch, info, synth

app = typer.Typer(no_args_is_help=True, help="Look at a data set, or draw one.")
app.command("info")(info.info)
app.command("explore")(explore.explore)
app.add_typer(fetch.app, name="fetch")
app.command("synth")(synth.synth)
