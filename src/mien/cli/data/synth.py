"""``mien data synth``: a data set of no person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import out
from mien.cli.data.options import Layout


def synth(
    path: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to make.")],
    count: Annotated[int, typer.Option(min=7, help="How many faces.")] = 2000,
    layout: Annotated[
        Layout | None, typer.Option(help="How they are stored.", show_default="folders")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other faces.")] = 0,
) -> None:
    """Draw faces in seven expressions: a data set for trying things out, of no person."""
    from mien.cli.data.target import refuse_suffix
    from mien.data.synthetic.faces import synthetic_faces
    from mien.data.write import write_dataset
    from mien.io.files import refuse_existing

    chosen = layout or Layout.folders
    refuse_suffix(path, chosen.value, "as you ask" if layout else "if none is named")
    refuse_existing(path)
    dataset = synthetic_faces(count, seed=seed)
    write_dataset(dataset, path, chosen.value)
    splits = ", ".join(f"{split} {images:,}" for split, images in dataset.split_counts().items())
    out.print(f"Drew {count:,} faces ({splits}): {path}", soft_wrap=True)
