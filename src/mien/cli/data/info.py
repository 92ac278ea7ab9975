"""``mien data info``: what a data set holds."""

from __future__ import annotations

from mien.cli.console import JsonOption, SkipBadOption, new_table, out, print_json, say_skipped
from mien.cli.data.options import PathsArgument, VotesOption


def info(
    path: PathsArgument,
    votes: VotesOption = None,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a data set holds: images of each emotion in each split."""
    from mien.data import load_dataset
    from mien.emotions import EMOTIONS

    dataset = load_dataset(*path, skip_bad=skip_bad, votes=votes)
    counts = {split: dataset.split(split).class_counts() for split in dataset.split_counts()}
    if as_json:
        print_json(
            {
                "name": dataset.name,
                "layout": dataset.layout,
                "images": len(dataset),
                "splits": dataset.split_rule,
                "counts": counts,
                "votes": dataset.votes is not None,
                "fingerprint": dataset.fingerprint,
                "skipped": list(dataset.skipped),
            }
        )
        return
    with_votes = ", with FER+ votes" if dataset.votes is not None else ""
    table = new_table("emotion", *counts, "all", "share")
    for emotion in EMOTIONS:
        row = [counts[split][emotion] for split in counts]
        table.add_row(
            emotion, *(f"{n:,}" for n in (*row, sum(row))), f"{sum(row) / len(dataset):.1%}"
        )
    totals = [sum(by_emotion.values()) for by_emotion in counts.values()]
    table.add_row("all", *(f"{n:,}" for n in (*totals, sum(totals))), "", style="bold")
    out.print(f"{dataset.name} ({dataset.layout}{with_votes})", style="bold")
    out.print(f"Splits: {dataset.split_rule}.\n")
    out.print(table)
    say_skipped(dataset.skipped)
