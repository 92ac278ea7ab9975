"""``mien web``: write the page's private mode as static files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import out, say_line, say_path


def web(
    path: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder to write; it must not exist yet.")
    ],
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="RUN_OR_BUNDLE",
            help="Run directory, .onnx file or name of a shipped Bundle. Repeatable: the page lets "
            "its visitor choose. Default: mien-xs",
        ),
    ] = None,
    detector_model: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="File of YuNet's weights, if it is not in mien's cache."),
    ] = None,
) -> None:
    """Write a page that reads faces in its visitor's browser, for any web host.

    Photos and the camera's picture are read by the browser and sent nowhere. The page works offline
    once it was loaded. Browsers give a camera only to pages over https and of this machine.
    """
    from mien.service.web import write_site
    from mien.vision.detectors.yunet import by_hand

    site = write_site(path, models=models or [], detector_model=detector_model)
    out.print(f"{site.size_bytes / 1e6:.1f} MB; try it: python -m http.server --directory DIR")
    if not site.finds_faces:
        say_line(
            f"Without YuNet, visitors mark faces by hand; for YuNet: mien fetch, or {by_hand()}",
            style="dim",
        )
    say_path("page", site.path)
