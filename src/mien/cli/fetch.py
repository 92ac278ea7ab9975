"""``mien fetch``: download the face detector, which is not part of the package."""

from __future__ import annotations

from typing import Annotated

import typer

from mien.cli.console import say_path


def fetch(
    url: Annotated[
        str | None,
        typer.Option(help="Address of a copy of the file; its checksum must be the same."),
    ] = None,
) -> None:
    """Download the face detector YuNet (233 kB, MIT licence), which finds turned and small faces.

    The file is kept in mien's cache (MIEN_CACHE) and checked by its SHA-256. Without it, faces are
    found by the Haar cascade, which comes with OpenCV.
    """
    from mien.vision.detectors.yunet import fetch_yunet

    say_path("YuNet", fetch_yunet(url))
