"""Print the number of images of each class in each split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.cli.console import new_table, out
from mien.io.text import one_line

if TYPE_CHECKING:
    from mien.data import FaceDataset


def print_counts(dataset: FaceDataset) -> None:
    """Print the name of a data set, how its splits were made, and its class counts."""
    counts = {split: dataset.split(split).class_counts() for split in dataset.split_counts()}
    with_votes = ", with FER+ votes" if dataset.votes is not None else ""
    table = new_table(dataset.label_set.noun, *counts, "all", "share")
    for name in dataset.names:
        row = [counts[split][name] for split in counts]
        table.add_row(name, *(f"{n:,}" for n in (*row, sum(row))), f"{sum(row) / len(dataset):.1%}")
    totals = [sum(of.values()) for of in counts.values()]
    table.add_row("all", *(f"{n:,}" for n in (*totals, sum(totals))), "", style="bold")
    out.print(f"{one_line(dataset.name)} ({dataset.layout}{with_votes})", style="bold")
    out.print(f"Splits: {one_line(dataset.split_rule)}.\n")
    out.print(table)
