"""``mien data info``: the class counts of a data set."""

from __future__ import annotations

from mien.cli.console import print_json, say_skipped
from mien.cli.data.counts import print_counts
from mien.cli.data.options import PathsArgument, VotesOption
from mien.cli.options import JsonOption, SkipBadOption


def info(
    path: PathsArgument,
    votes: VotesOption = None,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print the number of images of each emotion in each split."""
    from mien.data import load_dataset

    dataset = load_dataset(*path, skip_bad=skip_bad, votes=votes)
    if as_json:
        splits = dataset.split_counts()
        print_json(
            {
                "name": dataset.name,
                "layout": dataset.layout,
                "images": len(dataset),
                "splits": dataset.split_rule,
                "counts": {split: dataset.split(split).class_counts() for split in splits},
                "votes": dataset.votes is not None,
                "fingerprint": dataset.fingerprint,
                "skipped": list(dataset.skipped),
            }
        )
        return
    print_counts(dataset)
    say_skipped(dataset.skipped)
