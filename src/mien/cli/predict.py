"""``mien predict``: the faces in photos."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import JsonOption, err, new_table, out, print_json, say_path
from mien.errors import MienError, SourceError

if TYPE_CHECKING:
    from mien.vision import Reading

SOME_FAILED = 1
NONE_READ = 2


def predict(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Image files.")],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="RUN_OR_BUNDLE",
            help="What reads the faces; by default the best that is shipped.",
        ),
    ] = None,
    as_json: JsonOption = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Save annotated copies: a file, or a folder for several."
        ),
    ] = None,
) -> None:
    """Find the faces in photos and read their expressions.

    Exit code 0 also where there is no face; 1 if some of several files could not be read.
    """
    from mien.vision import Reader

    target = _Target(save, len(photos)) if save else None
    reader = Reader(model)
    results: list[tuple[Path, list[Reading]]] = []
    failures: list[SourceError] = []
    saved: list[Path] = []
    for photo in photos:
        try:
            readings = reader.read(photo)
        except SourceError as error:
            failures.append(error)
            continue
        results.append((photo, readings))
        if target:
            saved.append(target.save(photo, readings))
    if failures and not results:
        _say_failures(failures)
        sys.exit(NONE_READ)
    if as_json:
        print_json([record for photo, readings in results for record in _records(photo, readings)])
    else:
        _say_readings(results)
    for path in saved:
        if not as_json:
            say_path("saved", path)
    _say_failures(failures)
    if failures:
        sys.exit(SOME_FAILED)


def _say_failures(failures: list[SourceError]) -> None:
    for failure in failures:
        err.print(f"mien: {failure}", soft_wrap=True)


class _Target:
    """Where annotated copies go: settled before the first photo is read."""

    def __init__(self, path: Path, photos: int) -> None:
        self.is_folder = photos > 1 or path.is_dir() or not path.suffix
        self.path = path
        self._taken: set[Path] = set()
        if self.is_folder and path.exists() and not path.is_dir():
            raise MienError(f"{path}: a file, but {photos} photos need a folder")
        if not self.is_folder and path.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp"):
            raise MienError(f"{path}: cannot save this kind, expected .jpg, .png or .webp")

    def save(self, photo: Path, readings: list[Reading]) -> Path:
        import cv2

        from mien.files import write_bytes
        from mien.vision.draw import draw_readings
        from mien.vision.reader import open_picture

        path = self._free_path(photo) if self.is_folder else self.path
        if path.exists() and path.samefile(photo):
            raise MienError(f"{path}: is the photo itself, which stays as it is; name another")
        picture = draw_readings(open_picture(photo)[0], readings)
        try:
            _, content = cv2.imencode(path.suffix, picture)
            write_bytes(path, content.tobytes())
        except (cv2.error, AttributeError):  # OpenCV says it in one way or the other
            height, width = picture.shape[:2]
            raise MienError(
                f"{path}: {width}x{height} pixels are too many for {path.suffix}; save as .png"
            ) from None
        return path

    def _free_path(self, photo: Path) -> Path:
        """Return a name of its own for each photo of this call, also where two are called alike."""
        path, number = self.path / f"{photo.stem}-read.jpg", 1
        while path in self._taken:
            number += 1
            path = self.path / f"{photo.stem}-read-{number}.jpg"
        self._taken.add(path)
        return path


def _records(photo: Path, readings: list[Reading]) -> list[dict[str, object]]:
    if readings:
        return [reading.as_dict() for reading in readings]
    nothing = dict.fromkeys(("box", "score", "emotion", "probabilities", "uncertain"))
    return [{"source": str(photo), **nothing}]


def _say_readings(results: list[tuple[Path, list[Reading]]]) -> None:
    for photo, readings in results:
        if not readings:
            out.print(f"{photo}: no face found", soft_wrap=True)
            continue
        faces = "1 face" if len(readings) == 1 else f"{len(readings)} faces"
        out.print(f"{photo}: {faces}", style="bold", soft_wrap=True)
        table = new_table("emotion", "probability", "next", "box", "face score")
        for reading in readings:
            ranked = sorted(reading.probabilities.items(), key=lambda item: -item[1])
            left, top, right, bottom = reading.box
            table.add_row(
                f"{reading.emotion}, uncertain" if reading.uncertain else reading.emotion,
                f"{ranked[0][1]:.2f}",
                f"{ranked[1][0]} {ranked[1][1]:.2f}",
                f"{left},{top} – {right},{bottom}",
                f"{reading.score:.2f}",
            )
        out.print(table)
