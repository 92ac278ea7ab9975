"""``mien data clean``: write a cleaned copy of a data set, with a manifest of the changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console import new_table, out, say_notes, say_path, say_skipped
from mien.cli.data.options import (
    ChannelsOption,
    LabelsOption,
    LayoutOption,
    PathsArgument,
    SizeOption,
    VotesOption,
    crop_options,
)
from mien.cli.options import SkipBadOption
from mien.io.text import one_line

if TYPE_CHECKING:
    from mien.curation.manifest import Decision
    from mien.data import FaceDataset


class Leaks(StrEnum):
    """Treatment of images that have a duplicate in another split."""

    drop = "drop"
    move = "move"
    keep = "keep"


def clean(
    path: PathsArgument,
    target: Annotated[
        Path | None, typer.Option("--out", metavar="NEW", help="Path of the new file or folder.")
    ] = None,
    leaks: Annotated[
        Leaks | None,
        typer.Option(
            help="Duplicates across splits: drop them from train and val, move all of them into "
            "train, or keep them.",
            show_default="drop",
        ),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Apply this manifest, which may have been edited."),
    ] = None,
    layout: LayoutOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the decisions and write nothing.")
    ] = False,
    labels: LabelsOption = None,
    size: SizeOption = None,
    channels: ChannelsOption = None,
    votes: VotesOption = None,
    skip_bad: SkipBadOption = False,
) -> None:
    """Write a copy of a data set without blank images, copies, conflicting labels and leaks.

    A manifest names every changed image and the reason. The source is not changed.
    """
    if target is None and not dry_run:
        raise typer.BadParameter("give the new path with --out NEW", param_hint="--out")
    if manifest is not None and leaks is not None:
        raise typer.BadParameter("has no effect with --manifest", param_hint="--leaks")

    from mien.cli.data.target import choose_layout, refuse_target
    from mien.curation.clean import apply_decisions
    from mien.curation.manifest import manifest_path, read_manifest, write_cleaned
    from mien.io.files import expand_user, refuse_existing

    if target is not None:
        refuse_target(target, path)
    read = {"skip_bad": skip_bad, **crop_options(labels, size, channels)}
    dataset = load_split(path, votes, read)
    if target is not None:
        chosen = choose_layout(target, layout, dataset)
        refuse_existing(manifest_path(target, chosen))
    if manifest is not None:
        decisions = read_manifest(expand_user(manifest), dataset)
    else:
        decisions = _decide(dataset, leaks or Leaks.drop)
    cleaned = apply_decisions(dataset, decisions)
    if target is not None and not dry_run:
        written = write_cleaned(cleaned, decisions, target, chosen)
    _print_decisions(dataset, cleaned, decisions)
    if target is None or dry_run:
        out.print("Nothing was written: this was a dry run.")
    else:
        say_path("data set", target)
        say_path("manifest", written)
        options = {"--votes": votes, "--labels": labels, "--size": size, "--channels": channels}
        _say_undo(path, options, skip_bad=skip_bad)
    say_skipped(dataset.skipped)
    say_notes(dataset.notes)


def load_split(path: list[Path], votes: Path | None, read: dict[str, Any]) -> FaceDataset:
    """Load a data set with its own splits; if it has none, split it with duplicates together."""
    from mien.cli.data.search import watch_search
    from mien.data import load_dataset
    from mien.data.split import AS_STATED

    dataset = load_dataset(*path, make_val=False, votes=votes, **read)
    if dataset.split_rule == AS_STATED:
        return dataset
    with watch_search():
        return load_dataset(*path, keep_duplicates_together=True, votes=votes, **read)


def _decide(dataset: FaceDataset, leaks: Leaks) -> list[Decision]:
    from mien.cli.data.search import watch_search
    from mien.curation.clean import decide
    from mien.data.duplicates.groups import find_duplicates

    with watch_search() as progress:
        duplicates = find_duplicates(dataset.images, exact_only=dataset.drawn, progress=progress)
    return decide(dataset, duplicates, leaks=leaks.value)


def _print_decisions(
    dataset: FaceDataset, cleaned: FaceDataset, decisions: Sequence[Decision]
) -> None:
    from mien.curation.manifest import ACTIONS
    from mien.data.split import SPLITS

    out.print(f"{one_line(dataset.name)} ({dataset.layout}), {len(dataset):,} images", style="bold")
    out.print(f"Splits: {one_line(dataset.split_rule)}.\n")
    reasons = Counter((decision.action, decision.because) for decision in decisions)
    table = new_table("action", "images", "because")
    table.columns[2].justify = "left"
    for (action, because), count in sorted(
        reasons.items(), key=lambda item: (ACTIONS.index(item[0][0]), -item[1])
    ):
        table.add_row(action, f"{count:,}", because)
    if decisions:
        out.print(table)
    else:
        out.print("Nothing to do: no image needs to be dropped, merged or changed.")
    out.print()
    before, after = dataset.split_counts(), cleaned.split_counts()
    counts = new_table("split", "before", "after")
    for split in SPLITS:
        if split in before or split in after:
            counts.add_row(split, f"{before.get(split, 0):,}", f"{after.get(split, 0):,}")
    counts.add_row("all", f"{len(dataset):,}", f"{len(cleaned):,}", style="bold")
    out.print(counts)
    out.print()


def _say_undo(path: list[Path], options: Mapping[str, object], *, skip_bad: bool) -> None:
    from mien.reports.commands import data_command

    apply = ("--manifest", "EDITED.csv", "--out", "NEW2")
    command = data_command("clean", path, options, skip_bad=skip_bad, rest=apply)
    out.print(
        "\nThe source was not changed. To undo some of the decisions, delete their lines from a "
        "copy of the manifest, and apply it to the source:"
    )
    out.print(one_line(command), soft_wrap=True)
