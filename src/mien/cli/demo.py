"""``mien demo``: every step of mien once, on drawn faces or on the user's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import out, say_path
from mien.cli.options import SettingsOption, SkipBadOption
from mien.io.text import one_line

_RECIPE = "quick"
_FACES = 6000  # a minute of training on two cores
_RUNS = Path("runs")


def demo(
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="PATH", help="Your own data set, instead of drawn faces."),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option("--out", metavar="RUN", help="Run directory to make. Default: runs/demo."),
    ] = None,
    photo: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Photo to read. Default: the photo that comes with mien.",
        ),
    ] = None,
    skip_bad: SkipBadOption = False,
    settings: SettingsOption = None,
) -> None:
    """Do everything once: draw faces, train on them, measure, write a report, read a photo."""
    from mien.cli.train import start
    from mien.runs.run import free_name
    from mien.vision.sample import sample_photo
    from mien.vision.sources import open_picture

    photo = photo or sample_photo()
    open_picture(photo)  # reports a photo that cannot be read before the training
    out.rule("1  Data", align="left", style="dim")
    paths = data or [_drawn_faces()]
    _say_data(paths, skip_bad=skip_bad)
    out.rule("2  Training", align="left", style="dim")
    run_path = path or free_name(_RUNS, "demo")
    start(_RECIPE, paths, run_path, settings, skip_bad=skip_bad)
    out.rule("3  A photo", align="left", style="dim")
    _read_photo(photo, run_path)
    out.print(
        "\nNext: open the report in a browser, then try `mien train quick --data fer2013.csv` "
        "and `mien predict your-photo.jpg`."
    )


def _drawn_faces() -> Path:
    """Return a Parquet file of drawn faces, which is written if it does not exist."""
    from mien.data.synthetic.faces import synthetic_faces
    from mien.data.write import write_dataset

    path = _RUNS / f"synthetic-{_FACES}.parquet"
    if not path.is_file():
        write_dataset(synthetic_faces(_FACES), path, "parquet")
    return path


def _say_data(paths: list[Path], *, skip_bad: bool) -> None:
    from mien.cli.data.info import info

    info(paths, skip_bad=skip_bad)
    out.print()
    say_path("data", paths[0])


def _read_photo(photo: Path, run_path: Path) -> None:
    from mien.bundle.bundle import shipped_bundles
    from mien.cli.predict import predict

    shipped = next(iter(shipped_bundles()), None)
    reader = f"{shipped}, which comes with mien" if shipped else str(run_path)
    out.print(f"Read by: {one_line(reader)}")
    predict([str(photo)], model=shipped or str(run_path), save=run_path / f"{photo.stem}-read.jpg")
