"""``mien export``: the Bundle of a run, for use anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import out, say_path


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    path: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The file to write. Default: RUN/model.onnx."),
    ] = None,
) -> None:
    """Write a run's Bundle: one ONNX file that any ONNX runtime can run, checked against torch.

    A run that was stopped gives its best weights so far.
    """
    from mien.training.finish import export as write

    bundle = write(run, path)
    metadata = bundle.metadata
    out.print(
        f"{metadata.name}: {metadata.parameters:,} parameters, {metadata.checkpoint}; agrees with "
        "torch to 1e-5"
    )
    say_path("Bundle", bundle.path)
