"""``mien demo``: every step of mien once, on drawn faces or on the user's own data."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import out, say_path
from mien.cli.options import SettingsOption, SkipBadOption

_RECIPE = "quick"
_FACES = 3000  # half a minute of training on two cores
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
    """Do everything once: read a photo, draw faces, look at them, train, measure, report."""
    import torch  # noqa: F401 - a package that is missing is told before the first step

    from mien.cli.data.explore import explore
    from mien.cli.train import start
    from mien.io.files import free_path
    from mien.vision.sample import sample_photo
    from mien.vision.sources import open_picture

    photo = photo or sample_photo()
    open_picture(photo)  # a photo that cannot be read is reported before everything else
    run_path = path or free_path(_RUNS / "demo")
    page = run_path.with_name(f"{run_path.name}-data")
    _say_step("1  A photo, read by the network that comes with mien")
    _read_photo(photo, page)
    _say_step("2  Data" if data else f"2  Data: {_FACES:,} drawn faces, so that you need none")
    paths = data or [_drawn_faces()]
    explore(paths, page, skip_bad=skip_bad)
    say_path("data", paths[0])
    _say_step("3  Training a network on them, and measuring it")
    how_long = "Some minutes" if data else "A minute or two"
    out.print(f"{how_long}; Ctrl-C stops it and keeps what was learned.", style="dim")
    start(_RECIPE, paths, run_path, settings, skip_bad=skip_bad)
    if not data:
        out.print("Drawn faces are easy: these scores say nothing about photographs.", style="dim")
    out.print(
        "\nNext: open the report in a browser, then try `mien predict your-photo.jpg` and "
        "`mien train quick --data fer2013.csv`."
    )
    if (hint := _activation()) is not None:
        out.print(f"In a new terminal, type this first: {hint}")


def _say_step(title: str) -> None:
    out.rule(title, align="left", style="dim")


def _drawn_faces() -> Path:
    """Return a Parquet file of drawn faces, which is written if it does not exist."""
    from mien.data.synthetic.faces import synthetic_faces
    from mien.data.write import write_dataset

    path = _RUNS / f"drawn-faces-{_FACES}.parquet"
    if not path.is_file():
        write_dataset(synthetic_faces(_FACES), path, "parquet")
    return path


def _read_photo(photo: Path, folder: Path) -> None:
    from mien.bundle.bundle import shipped_bundles
    from mien.cli.predict import predict

    predict(
        [str(photo)], model=next(iter(shipped_bundles())), save=folder / f"{photo.stem}-read.jpg"
    )


def _activation() -> str | None:
    """Return the command that activates the virtual environment; None outside of one."""
    if sys.prefix == sys.base_prefix:
        return None
    if sys.platform == "win32":
        return str(Path(sys.prefix) / "Scripts" / "activate")
    return f". {shlex.quote(str(Path(sys.prefix) / 'bin' / 'activate'))}"
