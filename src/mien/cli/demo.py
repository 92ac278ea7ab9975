"""``mien demo``: the whole of mien once, on drawn faces or on the user's own data."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import SkipBadOption, out, say_path

_RECIPE = "quick"
_FACES = 6000  # a minute of training on two cores
_RUNS = Path("runs")


def demo(
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="PATH", help="Your own data set instead of drawn faces."),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option("--out", metavar="RUN", help="The run directory. Default: runs/demo."),
    ] = None,
    photo: Annotated[
        Path | None,
        typer.Option(help="A photo to read. Default: the astronaut that comes with scikit-image."),
    ] = None,
    skip_bad: SkipBadOption = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: train.epochs=5."),
    ] = None,
) -> None:
    """Do everything once: draw faces, train on them, measure, report, read a photo."""
    from mien.cli.train import start
    from mien.runs.run import free_name
    from mien.vision.sources.open import open_picture

    photo = photo or _astronaut()
    if photo:
        open_picture(photo)  # what is wrong with it is told before the training, not after it
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
    """Return a Parquet file of drawn faces, drawn now if it was not before."""
    from mien.data.formats.parquet import write_parquet
    from mien.data.synthetic.faces import synthetic_faces

    path = _RUNS / f"synthetic-{_FACES}.parquet"
    if not path.is_file():
        write_parquet(synthetic_faces(_FACES), path)
    return path


def _say_data(paths: list[Path], *, skip_bad: bool) -> None:
    from mien.cli.data.info import info

    info(paths, skip_bad=skip_bad)
    out.print()
    say_path("data", paths[0])


def _astronaut() -> Path | None:
    """Return the photograph that comes with scikit-image, if that is installed."""
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent / "data" / "astronaut.png"
    return path if path.is_file() else None


def _read_photo(photo: Path | None, run_path: Path) -> None:
    from mien.bundle.bundle import shipped_bundles
    from mien.cli.predict import predict

    if photo is None:
        out.print("No photo at hand: name one by --photo.")
        return
    shipped = next(iter(shipped_bundles()), None)
    out.print(f"Read by: {shipped}, which comes with mien" if shipped else f"Read by: {run_path}")
    predict([str(photo)], model=shipped or str(run_path), save=run_path / f"{photo.stem}-read.jpg")
