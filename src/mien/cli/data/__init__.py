"""``mien data``: look at a data set, audit, clean, split or draw one."""

from __future__ import annotations

import typer

from mien.cli.data import audit, clean, explore, fetch, info, split, synth

app = typer.Typer(
    no_args_is_help=True, help="Look at a data set, audit, clean, split, fetch or draw one."
)
app.command("info")(info.info)
app.command("explore")(explore.explore)
app.command("audit")(audit.audit)
app.command("clean")(clean.clean)
app.command("split")(split.split)
app.add_typer(fetch.app, name="fetch")
app.command("synth")(synth.synth)
