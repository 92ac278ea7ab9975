"""``mien data info``: the class counts of a data set."""

from __future__ import annotations

from mien.cli.console import print_json, say_notes, say_skipped
from mien.cli.data.counts import print_counts
from mien.cli.data.options import (
    ChannelsOption,
    LabelsOption,
    PathsArgument,
    SizeOption,
    VotesOption,
    crop_options,
)
from mien.cli.options import JsonOption, SkipBadOption


def info(
    path: PathsArgument,
    labels: LabelsOption = None,
    size: SizeOption = None,
    channels: ChannelsOption = None,
    votes: VotesOption = None,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print the number of images of each class in each split."""
    from dataclasses import asdict

    from mien.data import load_dataset

    read = crop_options(labels, size, channels)
    dataset = load_dataset(*path, skip_bad=skip_bad, votes=votes, **read)
    if as_json:
        splits = dataset.split_counts()
        print_json(
            {
                "name": dataset.name,
                "layout": dataset.layout,
                "images": len(dataset),
                "splits": dataset.split_rule,
                "counts": {split: dataset.split(split).class_counts() for split in splits},
                "crop": asdict(dataset.crop),
                "votes": dataset.votes is not None,
                "fingerprint": dataset.fingerprint,
                "skipped": list(dataset.skipped),
                "notes": list(dataset.notes),
            }
        )
        return
    print_counts(dataset)
    say_skipped(dataset.skipped)
    say_notes(dataset.notes)
