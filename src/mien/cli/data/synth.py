"""``mien data synth``: a data set of drawn faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import out
from mien.cli.data.options import ChannelsOption, NewLayoutOption, SizeOption, crop_options
from mien.io.text import one_line


def synth(
    path: Annotated[Path, typer.Argument(metavar="OUT", help="Path of the new file or folder.")],
    count: Annotated[
        int, typer.Option(min=2, help="Number of faces, one for each class at least.")
    ] = 2000,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="NAME|NAMES",
            help="Classes: a built-in set such as rafdb, or any names separated by commas.",
            show_default="fer2013",
        ),
    ] = None,
    size: SizeOption = None,
    channels: ChannelsOption = None,
    layout: NewLayoutOption = "folders",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random faces.")] = 0,
) -> None:
    """Draw faces with an expression for each class: data to try things out, without real people."""
    from mien.cli.data.target import describe_reading, refuse_suffix
    from mien.data.synthetic.faces import synthetic_faces
    from mien.data.write import write_dataset
    from mien.errors import MienError
    from mien.images.crop import CropSpec
    from mien.io.files import refuse_existing, refuse_unwritable
    from mien.labels import FER2013, parse_label_set

    refuse_suffix(path, layout)
    refuse_existing(path)
    refuse_unwritable(path.parent)
    label_set = FER2013 if labels is None else parse_label_set(labels)
    if label_set is None:
        raise MienError(f"--labels {labels}: there are no files to take names from; give the names")
    crop = CropSpec(**crop_options(None, size, channels))
    dataset = synthetic_faces(count, seed=seed, label_set=label_set, crop=crop)
    write_dataset(dataset, path, layout)
    splits = ", ".join(f"{split} {images:,}" for split, images in dataset.split_counts().items())
    out.print(f"Drew {count:,} faces ({splits}): {one_line(str(path))}", soft_wrap=True)
    if dataset.label_set != FER2013 or dataset.crop != CropSpec():
        out.print(f"To read them: {one_line(describe_reading(dataset))}", soft_wrap=True)
