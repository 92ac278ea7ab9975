"""``mien data synth``: a data set of drawn faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import out
from mien.cli.data.options import NewLayoutOption


def synth(
    path: Annotated[Path, typer.Argument(metavar="OUT", help="Path of the new file or folder.")],
    count: Annotated[int, typer.Option(min=7, help="Number of faces.")] = 2000,
    layout: NewLayoutOption = "folders",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random faces.")] = 0,
) -> None:
    """Draw faces with seven expressions: a data set to try things out, without real people."""
    from mien.cli.data.target import refuse_suffix
    from mien.data.synthetic.faces import synthetic_faces
    from mien.data.write import write_dataset
    from mien.io.files import refuse_existing

    refuse_suffix(path, layout)
    refuse_existing(path)
    dataset = synthetic_faces(count, seed=seed)
    write_dataset(dataset, path, layout)
    splits = ", ".join(f"{split} {images:,}" for split, images in dataset.split_counts().items())
    out.print(f"Drew {count:,} faces ({splits}): {path}", soft_wrap=True)
