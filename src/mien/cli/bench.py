"""``mien bench``: measure how fast Bundles read faces on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import err, new_table, out, print_json, say_path
from mien.cli.options import JsonOption

if TYPE_CHECKING:
    from mien.bundle.benchmark import Speed

_BATCHES = (1, 64)
_THREADS = (1, 2)


def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN_OR_BUNDLE",
            help="Paths of run directories or .onnx files, or names of shipped Bundles. Default: "
            "all shipped Bundles.",
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(min=0.05, max=600, help="Duration of each of the four measurements, in s."),
    ] = 1.0,
    as_json: JsonOption = False,
    path: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Also write the measurements to FILE as CSV."),
    ] = None,
) -> None:
    """Measure how fast Bundles read face crops: in batches of 1 and 64, on one thread and on two.

    Each speed is compared with the fastest matrix product of this machine in the same precision,
    measured at the same time. Other running programs slow both down.
    """
    from mien.bundle.benchmark import measure_speed
    from mien.bundle.bundle import Bundle, find_bundle, shipped_bundles
    from mien.io.files import refuse_unwritable_file

    if path is not None:
        refuse_unwritable_file(path)
    found = [find_bundle(model) for model in models or shipped_bundles()]
    speeds = []
    with err.status("Timing"):
        for file in found:
            for threads in _THREADS:
                bundle = Bundle(file, threads=threads)
                speeds += [measure_speed(bundle, batch=size, seconds=seconds) for size in _BATCHES]
    if path is not None:
        _write_csv(path, speeds)
    if as_json:
        print_json([speed.as_dict() for speed in speeds])
        return
    _say(speeds)
    if path is not None:
        say_path("\nkept", path)


def _say(speeds: list[Speed]) -> None:
    table = new_table("bundle", "threads", "batch", "ms/call", "95%", "faces/s", "GOP/s", "of peak")
    for speed in speeds:
        done, share = speed.operations_per_second, speed.share_of_peak
        table.add_row(
            f"{speed.bundle} ({speed.precision})",
            str(speed.threads),
            str(speed.batch),
            f"{speed.latency_ms:.2f}",
            f"{speed.latency_p95_ms:.2f}",
            f"{speed.faces_per_second:,.0f}",
            "–" if done is None else f"{done / 1e9:,.0f}",
            "–" if share is None else f"{share:.0%}",
        )
    out.print(table)


def _write_csv(path: Path, speeds: list[Speed]) -> None:
    import csv
    import io

    from mien.io.files import write_text
    from mien.io.text import csv_cell

    rows = [speed.as_dict() for speed in speeds]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(map(csv_cell, row.values()) for row in rows)
    write_text(path, text.getvalue())
