"""``mien serve``: read faces over HTTP and WebSocket, and in a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import ModelOption

_SAFETY, _LIMITS = "Who may use it", "Limits"  # panels of --help


def serve(
    model: ModelOption = None,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on. Default: 127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="N", help="Port; 0 for a free one. Default: 8000")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Processes, each with its own model. Default: 1"),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", help="Threads of each process. Default: its share of the cores"),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the face detector. Default: auto"),
    ] = None,
    detector_model: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="File of YuNet's weights, if it is not in mien's cache."),
    ] = None,
    min_face: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Shorter side of the smallest face to read."),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(metavar="SCORE", help="Lowest detector score of a face to read."),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="File with the API key that requests must send; or set MIEN_SERVE_KEY.",
            rich_help_panel=_SAFETY,
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Let other machines use it without a key.",
            rich_help_panel=_SAFETY,
        ),
    ] = False,
    origins: Annotated[
        list[str] | None,
        typer.Option(
            "--origin",
            metavar="ORIGIN",
            help="Origin of web pages that may call the API, such as https://app.example. "
            "Repeatable.",
            rich_help_panel=_SAFETY,
        ),
    ] = None,
    hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Name by which the service may be addressed. Repeatable. Default: any name, or "
            "those of this machine if it listens on loopback.",
            rich_help_panel=_SAFETY,
        ),
    ] = None,
    max_body_mb: Annotated[
        int | None,
        typer.Option(metavar="MB", help="Largest body. Default: 16", rich_help_panel=_LIMITS),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", help="Largest image. Default: 25000000", rich_help_panel=_LIMITS
        ),
    ] = None,
    max_images: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Most images in a request. Default: 32", rich_help_panel=_LIMITS
        ),
    ] = None,
    max_crops: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Most face crops in a request. Default: 1024", rich_help_panel=_LIMITS
        ),
    ] = None,
    max_faces: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Most faces that are read in an image. Default: 100",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    queue: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Most requests in progress in a process; more get 503. Default: 64",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    queue_mb: Annotated[
        int | None,
        typer.Option(
            metavar="MB",
            help="Largest size of their bodies together. Default: 256",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    body_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Time in which a body must arrive. Default: 30",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Time in which a request is answered. Default: 30",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    stop_timeout: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS",
            help="Time to finish requests when it stops. Default: 30",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    max_streams: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Most open WebSocket streams. Default: 8", rich_help_panel=_LIMITS
        ),
    ] = None,
    stream_idle: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Time without a frame until a stream is closed. Default: 60",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
) -> None:
    """Serve a web page and an API that read faces in photos and from the camera.

    It answers programs of this machine alone, until you give it an API key and another --host.
    Each option can be set as a variable too: --max-body-mb is MIEN_SERVE_MAX_BODY_MB. Ctrl-C stops
    it once the requests in progress are answered.
    """
    flags = dict(locals())
    from mien.service.run import serve as run
    from mien.service.settings import Settings

    # An option that is not given leaves the variable's value.
    run(Settings.from_environment(**{k: None if v is False else v for k, v in flags.items()}))
