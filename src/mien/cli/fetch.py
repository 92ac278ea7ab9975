"""``mien fetch``: what the package does not hold, once."""

from __future__ import annotations

from typing import Annotated

import typer

from mien.cli.console import say_path


def fetch(
    url: Annotated[
        str | None, typer.Option(help="A copy of the file elsewhere; its checksum is the same.")
    ] = None,
) -> None:
    """Fetch the face detector YuNet (233 kB, MIT licence), which finds turned and small faces.

    It is kept in mien's cache (MIEN_CACHE) and checked by its SHA-256. Without it OpenCV's Haar
    cascade is used, which comes along.
    """
    from mien.vision.detectors.yunet_file import fetch_yunet

    say_path("YuNet", fetch_yunet(url))
