"""``mien data``: look at a data set, or draw one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import JsonOption, SkipBadOption, new_table, out, print_json, say_skipped

app = typer.Typer(no_args_is_help=True, help="Look at a data set, or draw one.")


class Layout(StrEnum):
    """How a data set is stored."""

    csv = "csv"
    folders = "folders"
    parquet = "parquet"


@app.command("info")
def info(
    path: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="A CSV, a folder, or one or several Parquet files."),
    ],
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a data set holds: images of each emotion in each split."""
    from mien.data import load_dataset
    from mien.emotions import EMOTIONS

    dataset = load_dataset(*path, skip_bad=skip_bad)
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
    votes = ", with FER+ votes" if dataset.votes is not None else ""
    table = new_table("emotion", *counts, "all", "share")
    for emotion in EMOTIONS:
        row = [counts[split][emotion] for split in counts]
        table.add_row(
            emotion, *(f"{n:,}" for n in (*row, sum(row))), f"{sum(row) / len(dataset):.1%}"
        )
    totals = [sum(by_emotion.values()) for by_emotion in counts.values()]
    table.add_row("all", *(f"{n:,}" for n in (*totals, sum(totals))), "", style="bold")
    out.print(f"{dataset.name} ({dataset.layout}{votes})", style="bold")
    out.print(f"Splits: {dataset.split_rule}.\n")
    out.print(table)
    say_skipped(dataset.skipped)


@app.command("synth")
def synth(
    path: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to make.")],
    count: Annotated[int, typer.Option(min=7, help="How many faces.")] = 2000,
    layout: Annotated[Layout, typer.Option(help="How they are stored.")] = Layout.folders,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other faces.")] = 0,
) -> None:
    """Draw faces in seven expressions: a data set for trying things out, of no person."""
    from mien.data.csv import write_csv
    from mien.data.folders import write_folders
    from mien.data.parquet import write_parquet
    from mien.data.synthetic import synthetic_faces
    from mien.errors import MienError

    if path.exists():
        raise MienError(f"{path}: exists already; choose another name, or remove it first")
    write = {"csv": write_csv, "folders": write_folders, "parquet": write_parquet}[layout.value]
    dataset = synthetic_faces(count, seed=seed)
    write(dataset, path)
    splits = ", ".join(f"{split} {images:,}" for split, images in dataset.split_counts().items())
    out.print(f"Drew {count:,} faces ({splits}): {path}", soft_wrap=True)
