"""``mien data split``: split a data set afresh, or convert it to another layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import out, say_notes, say_path, say_skipped
from mien.cli.data.options import (
    ChannelsOption,
    LabelsOption,
    LayoutOption,
    NewOption,
    PathsArgument,
    SizeOption,
    VotesOption,
    crop_options,
)
from mien.cli.options import SkipBadOption

if TYPE_CHECKING:
    from mien.data import FaceDataset


def split(
    path: PathsArgument,
    target: NewOption,
    fractions: Annotated[
        str | None,
        typer.Option(
            metavar="TRAIN,VAL,TEST",
            help="Pool all images and split them afresh by these shares, such as 70,15,15.",
        ),
    ] = None,
    together: Annotated[
        bool,
        typer.Option(
            "--keep-duplicates-together",
            help="Keep exact and near duplicates in one split.",
        ),
    ] = False,
    layout: LayoutOption = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the random splits.", show_default="0")
    ] = None,
    labels: LabelsOption = None,
    size: SizeOption = None,
    channels: ChannelsOption = None,
    votes: VotesOption = None,
    skip_bad: SkipBadOption = False,
) -> None:
    """Split a data set afresh, stratified by class, or convert it to another layout.

    Without --fractions the data set keeps its splits. The source is not changed.
    """
    from mien.cli.data.counts import print_counts
    from mien.cli.data.search import watch_search
    from mien.cli.data.target import choose_layout, refuse_target
    from mien.data import load_dataset
    from mien.data.split import AS_STATED, parse_fractions
    from mien.data.write import write_dataset

    shares = None if fractions is None else parse_fractions(fractions)
    refuse_target(target, path)

    def load(*, together: bool) -> FaceDataset:
        return load_dataset(
            *path,
            fractions=shares,
            make_val=False,
            keep_duplicates_together=together,
            seed=seed or 0,
            skip_bad=skip_bad,
            votes=votes,
            **crop_options(labels, size, channels),
        )

    dataset = load(together=False)
    stated = dataset.split_rule == AS_STATED
    if stated:
        _refuse_without_effect(dataset, together=together, seed=seed)
    chosen = choose_layout(target, layout, dataset)
    if together:
        with watch_search():
            dataset = load(together=True)
    write_dataset(dataset, target, chosen)
    print_counts(dataset)
    out.print()
    say_path("data set", target)
    if not stated and not together:
        _say_leaks(dataset)
    say_skipped(dataset.skipped)
    say_notes(dataset.notes)


def _refuse_without_effect(dataset: FaceDataset, *, together: bool, seed: int | None) -> None:
    from mien.errors import MienError

    option = "--keep-duplicates-together" if together else "" if seed is None else "--seed"
    if option:
        raise MienError(
            f"{option}: has no effect, because {dataset.name} has splits of its own, which are "
            "kept; leave it out, or split afresh with --fractions 70,15,15"
        )


def _say_leaks(dataset: FaceDataset) -> None:
    from mien.cli.data.search import watch_search
    from mien.data.duplicates.groups import find_duplicates

    with watch_search() as progress:
        duplicates = find_duplicates(dataset.images, exact_only=dataset.drawn, progress=progress)
    across = duplicates.across(dataset.splits)
    count = int(across.any.sum())
    if not count:
        out.print("\nNo image has a duplicate in another split.")
        return
    out.print(
        f"\n{count:,} of {len(dataset):,} images ({count / len(dataset):.1%}) now have a duplicate "
        f"in another split ({int(across.exact.sum()):,} exact, {int(across.near.sum()):,} near). "
        "A score on such images says little; "
        "--keep-duplicates-together keeps duplicates in one split."
    )
