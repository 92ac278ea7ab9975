"""``mien data fetch``: download FER-2013 and FER+'s votes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import out
from mien.io.text import one_line

app = typer.Typer(no_args_is_help=True, help="Download FER-2013, or FER+'s votes for it.")


class KaggleLayout(StrEnum):
    """A release of FER-2013 on Kaggle."""

    folders = "folders"
    csv = "csv"


OutOption = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="Folder to save to; nothing is overwritten."),
]


@app.command("fer2013")
def fer2013(
    folder: OutOption = Path("fer2013"),
    layout: Annotated[
        KaggleLayout,
        typer.Option(
            help="The folder release, or the competition's CSV, which FER+'s votes belong to."
        ),
    ] = KaggleLayout.folders,
) -> None:
    r"""Download FER-2013 from Kaggle, with your own account.

    This needs kagglehub: pip install 'mien\[fetch]'. The CSV needs an account that has accepted the
    competition's rules.
    """
    from mien.data.fetch import CSV_FILE, fetch_fer2013
    from mien.io.files import refuse_unwritable

    refuse_unwritable(folder)
    dataset = fetch_fer2013(folder, layout=layout.value)
    path = folder / CSV_FILE if layout is KaggleLayout.csv else folder
    _say(path, f"{len(dataset):,} images", dataset.split_counts(), ["info", str(path)])


@app.command("ferplus")
def ferplus(
    folder: OutOption = Path("fer2013"),
    url: Annotated[
        str | None,
        typer.Option(
            envvar="MIEN_FERPLUS_URL",
            show_default="Microsoft's",
            help="Address of a copy of fer2013new.csv.",
        ),
    ] = None,
) -> None:
    """Download FER+'s votes, fer2013new.csv, from Microsoft's repository.

    They belong to the competition's CSV, row by row.
    """
    from mien.data.fetch import CSV_FILE, FERPLUS_URL, fetch_ferplus
    from mien.io.files import refuse_unwritable

    refuse_unwritable(folder)
    votes = fetch_ferplus(folder, url=url or FERPLUS_URL)
    _say(
        votes.path,
        f"votes for {len(votes):,} rows",
        votes.split_counts(),
        ["info", str(folder / CSV_FILE), "--votes", str(votes.path)],
    )


def _say(path: Path, content: str, counts: Mapping[str, int], command: list[str]) -> None:
    splits = ", ".join(f"{split} {count:,}" for split, count in counts.items())
    out.print(f"Downloaded {content} ({splits}): {one_line(str(path))}", soft_wrap=True)
    out.print(f"Next: mien data {one_line(shlex.join(command))}", soft_wrap=True)
