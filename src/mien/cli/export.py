"""``mien export``: write the Bundle of a run, to be used anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import err, out, say_path
from mien.errors import MienError
from mien.io.text import one_line


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Path of a run directory.")],
    path: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="File to write (.onnx). Default: RUN/model.onnx."
        ),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Compute in 8 bits: a quarter of the size, and faster. Default file: "
            "RUN/model-int8.onnx.",
        ),
    ] = False,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="With --int8: current path of the training data, if it has been moved.",
        ),
    ] = None,
) -> None:
    """Write a run's Bundle: one ONNX file that any ONNX runtime can run, checked against torch.

    The Bundle of a stopped run contains its best weights so far.
    """
    from mien.training.export import export as write
    from mien.training.export import export_int8

    if data and not int8:
        raise MienError("--data is only for --int8; a float Bundle needs no data")
    if int8:
        with err.status("Setting the ranges of activations by training faces, and measuring"):
            bundle = export_int8(run, path, data=data)
        accuracy = bundle.metadata.scores[0].accuracy.value
        out.print(f"{one_line(bundle.metadata.name)} in int8: accuracy {accuracy:.3f} on val")
        say_path("Bundle", bundle.path)
        return
    bundle = write(run, path)
    metadata = bundle.metadata
    out.print(
        f"{one_line(metadata.name)}: {metadata.parameters:,} parameters, {metadata.checkpoint}; "
        "agrees with torch to 1e-5"
    )
    say_path("Bundle", bundle.path)
