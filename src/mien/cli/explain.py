"""``mien explain``: write a page of Grad-CAM and occlusion maps for the faces in photos."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import err, new_table, out, print_json, say_line, say_path
from mien.cli.options import (
    CropsOption,
    DetectorModelOption,
    DetectorOption,
    JsonOption,
    MaxPixelsOption,
    ModelArgument,
)
from mien.cli.predict import NONE_READ, SOME_FAILED, detector_name
from mien.errors import MienError
from mien.vision.defaults import MAX_PIXELS

if TYPE_CHECKING:
    from mien.explain.faces import FaceMaps, ReadFaces
    from mien.explain.sanity import Sanity

MOST_FACES = 60


def explain(
    model: ModelArgument,
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Photos, folders or glob patterns.")
    ],
    page: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Path of the page to write. Default: explanations.html, or explanations-2.html "
            "and so on.",
        ),
    ] = None,
    crops: CropsOption = False,
    detector: DetectorOption = "auto",
    detector_model: DetectorModelOption = None,
    nearest: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DATA",
            help="Data set whose most similar training faces the page shows. They are people: mind "
            "who sees the page.",
        ),
    ] = None,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    as_json: JsonOption = False,
) -> None:
    """Write a page that shows which regions of each face the answer depends on.

    It has a Grad-CAM and an occlusion map for each face. A map shows where, not why. Grad-CAM needs
    torch and the float weights of a run; without them the page has occlusion maps only. Exit code 0
    even if no face is found; 1 if some of several sources could not be read.
    """
    from mien.explain.faces import explain_faces, read_faces
    from mien.explain.network import find_network
    from mien.io.files import free_path, refuse_unwritable_file
    from mien.reports.explanation import write_explanations
    from mien.runs.data import load_as_trained
    from mien.vision.places import SourceFiles, refuse_output
    from mien.vision.reader import Reader
    from mien.vision.sources import open_source

    page = page or free_path(Path("explanations.html"))
    refuse_unwritable_file(page)
    reader = Reader(
        model, detector=detector_name(detector, crops=crops), detector_model=detector_model
    )
    network, without = find_network(model)
    if nearest and network is None:
        raise MienError(f"--nearest needs the network's features: {without}")
    with open_source(sources, max_pixels=max_pixels) as source:
        refuse_output(page, SourceFiles(source.names))
        read = read_faces(reader, source, most=MOST_FACES)
    faces: list[FaceMaps] = []
    sanity = None
    if read.faces:
        with err.status("Covering, reading and following gradients"):
            known = load_as_trained(reader.bundle, nearest).train if nearest else None
            faces, sanity = explain_faces(reader.bundle, network, read.faces, known=known)
        write_explanations(
            page, faces, read, reader.bundle.metadata, sanity=sanity, without=without
        )
        if without:
            say_line(f"Without Grad-CAM: {without}")
    if as_json:
        _print_json(read, faces, sanity, page)
    else:
        _print(read, faces, sanity, page)
    for failure in source.failures:
        say_line(f"mien: {failure}")
    if reader.detector_note and read.photos and not as_json:
        say_line(reader.detector_note, style="dim")
    if source.failures:
        sys.exit(SOME_FAILED if read.photos else NONE_READ)


def _print(read: ReadFaces, faces: list[FaceMaps], sanity: Sanity | None, page: Path) -> None:
    if not faces:
        if read.photos:
            photos = "photo" if read.photos == 1 else "photos"
            out.print(f"no face found in {read.photos:,} {photos}; no page")
        return
    table = new_table("", "face", "emotion", "probability", "drop if covered")
    for column in table.columns[1:3]:
        column.justify = "left"
    table.columns[1].no_wrap = True
    table.columns[1].overflow = "ellipsis"
    for number, one in enumerate(faces, 1):
        reading = one.face.reading
        table.add_row(
            f"{number}",
            Path(reading.source).name or "the picture",
            f"{reading.emotion}, uncertain" if reading.uncertain else reading.emotion,
            f"{reading.probabilities[reading.emotion]:.2f}",
            f"{one.drop:.2f}",
        )
    out.print(table)
    if len(faces) < read.found:
        out.print(f"{read.found:,} faces were found; the {len(faces)} largest are explained")
    if sanity is None and faces[0].cam is not None:
        out.print("sanity check: skipped, as every Grad-CAM map is empty")
    if sanity is not None:
        from mien.reports.explanation import sanity_result

        verdict = sanity_result(sanity)
        if not sanity.passed:
            verdict += ": do not rely on the Grad-CAM maps"
        out.print(
            f"sanity check: {verdict}; correlation with maps of random weights "
            f"{sanity.correlation:.2f}"
        )
    say_path("page", page)


def _print_json(read: ReadFaces, faces: list[FaceMaps], sanity: Sanity | None, page: Path) -> None:
    print_json(
        {
            "page": str(page) if faces else None,
            "photos": read.photos,
            "found": read.found,
            "sanity": None if sanity is None else sanity.model_dump(),
            "faces": [{**one.face.reading.as_dict(), "largest_drop": one.drop} for one in faces],
        }
    )
