"""``mien data explore``: a page about a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import print_json, print_table, say_notes, say_path, say_skipped
from mien.cli.data.options import (
    ChannelsOption,
    LabelsOption,
    PathsArgument,
    SizeOption,
    VotesOption,
    crop_options,
)
from mien.cli.options import JsonOption, SkipBadOption


def explore(
    path: PathsArgument,
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the page.")
    ] = Path("runs/explore"),
    labels: LabelsOption = None,
    size: SizeOption = None,
    channels: ChannelsOption = None,
    votes: VotesOption = None,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a data set: classes, faces, mean faces, gray levels, sizes, FER+ votes.

    The page, explore.html, contains some faces of the data set: share it only if you may share
    these.
    """
    from dataclasses import asdict

    from mien.data import load_dataset
    from mien.data.sizes import read_sizes
    from mien.data.statistics import explore as measure
    from mien.io.files import refuse_unwritable_file
    from mien.reports.explore import exploration_tables, write_exploration

    refuse_unwritable_file(folder / "explore.html")
    read = crop_options(labels, size, channels)
    dataset = load_dataset(*path, skip_bad=skip_bad, votes=votes, **read)
    exploration = measure(dataset, sizes=read_sizes(dataset, path))
    given = {"--labels": labels, "--size": size, "--channels": channels, "--votes": votes}
    page = write_exploration(exploration, dataset, folder, paths=path, options=given)
    if as_json:
        left_out = {"skipped": list(dataset.skipped), "notes": list(dataset.notes)}
        print_json({**asdict(exploration), **left_out})
        return
    for table in exploration_tables(exploration).values():
        print_table(table)
    say_path("page", page)
    say_skipped(dataset.skipped)
    say_notes(dataset.notes)
