"""``mien explain``: where in the faces of photos a network looks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import (
    CropsOption,
    DetectorModelOption,
    DetectorName,
    DetectorOption,
    JsonOption,
    MaxPixelsOption,
    err,
    new_table,
    out,
    print_json,
    say_path,
)
from mien.cli.predict import NONE_READ, SOME_FAILED
from mien.errors import MienError
from mien.vision.defaults import MAX_PIXELS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mien.bundle.bundle import Bundle
    from mien.explain.faces import ReadFaces
    from mien.explain.sanity import Sanity
    from mien.models import Classifier
    from mien.reports.explanation import FaceMaps, Neighbour

MOST_FACES = 60


def explain(
    model: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_BUNDLE", help="A run directory, a Bundle, or a shipped one's name."
        ),
    ],
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Photos, folders or patterns.")
    ],
    page: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page to write.")] = Path(
        "explanations.html"
    ),
    crops: CropsOption = False,
    detector: DetectorOption = DetectorName.auto,
    detector_model: DetectorModelOption = None,
    nearest: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DATA",
            help="Show the most alike training faces of this data set, who are people.",
        ),
    ] = None,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    as_json: JsonOption = False,
) -> None:
    """Show on one page where in each face a network looks: Grad-CAM and occlusion.

    A map shows where, not why. Grad-CAM needs torch and a run's float weights; without them the
    page has occlusion alone. Exit code 0 also where there is no face; 1 if some of several sources
    could not be read.
    """
    from mien.explain.faces import read_faces
    from mien.reports.explanation import write_explanations
    from mien.vision.reader import Reader
    from mien.vision.sinks.places import SourceFiles, refuse_output
    from mien.vision.sources.open import open_source

    if crops and detector not in (DetectorName.auto, DetectorName.none):
        raise MienError(f"--crops looks for no faces; leave out --detector {detector}")
    reader = Reader(
        model, detector="none" if crops else detector.value, detector_model=detector_model
    )
    network, without = _load(model)
    if nearest and network is None:
        raise MienError(f"--nearest needs the network's features: {without}")
    with open_source(sources, max_pixels=max_pixels) as source:
        refuse_output(page, SourceFiles(source.names))
        read = read_faces(reader, source, most=MOST_FACES)
    faces: list[FaceMaps] = []
    sanity = None
    if read.faces:
        with err.status("Covering, reading and following gradients"):
            faces, sanity = _explain(reader.bundle, network, read, nearest)
        write_explanations(
            page, faces, read, reader.bundle.metadata, sanity=sanity, without=without
        )
        if without:
            err.print(f"Without Grad-CAM: {without}", soft_wrap=True)
    if as_json:
        _print_json(read, faces, sanity, page)
    else:
        _print(read, faces, sanity, page)
    for failure in source.failures:
        err.print(f"mien: {failure}", soft_wrap=True)
    if reader.detector_note and read.photos and not as_json:
        err.print(reader.detector_note, soft_wrap=True, style="dim")
    if source.failures:
        sys.exit(SOME_FAILED if read.photos else NONE_READ)


def _load(model: str) -> tuple[Classifier | None, str]:
    """Return the network, or None and why there is none."""
    try:
        import mien.explain.sanity  # noqa: F401 - it and all that it needs
        from mien.explain.network import load_network

        return load_network(model), ""
    except MienError as error:
        return None, str(error)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "mien":
            raise
        return None, f"{error.name} is not installed: pip install 'mien[train]'"


def _explain(
    bundle: Bundle, network: Classifier | None, read: ReadFaces, nearest: list[Path] | None
) -> tuple[list[FaceMaps], Sanity | None]:
    import numpy as np

    from mien.explain.occlusion import occlusion_maps
    from mien.labels import EMOTIONS
    from mien.reports.explanation import FaceMaps

    images = np.stack([face.crop for face in read.faces])
    labels = np.array([EMOTIONS.index(face.reading.emotion) for face in read.faces])
    occlusion = occlusion_maps(bundle, images, labels)
    if network is None:
        pairs = zip(read.faces, occlusion, strict=True)
        return [FaceMaps(face, covered) for face, covered in pairs], None

    from mien.explain.grad_cam import grad_cam
    from mien.explain.sanity import check_maps

    cam = grad_cam(network, images, labels)
    alike = _nearest(bundle, network, images, nearest) if nearest else [()] * len(images)
    faces = [FaceMaps(*one) for one in zip(read.faces, occlusion, cam, alike, strict=True)]
    return faces, check_maps(network, images, labels)


def _nearest(
    bundle: Bundle, network: Classifier, images: npt.NDArray[np.uint8], data: list[Path]
) -> list[list[Neighbour]]:
    """Return the training faces that are most alike, split as the network's recipe splits them."""
    from mien.data import load_dataset
    from mien.explain.neighbours import nearest_faces
    from mien.labels import EMOTIONS
    from mien.recipes.recipe import parse_recipe
    from mien.reports.explanation import Neighbour

    recipe = parse_recipe(bundle.metadata.recipe, where=str(bundle.path))
    train = load_dataset(*data, **recipe.data.model_dump()).train
    return [
        [Neighbour(train.images[row], EMOTIONS[train.labels[row]]) for row in rows]
        for rows in nearest_faces(network, images, train.images)
    ]


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
        out.print(f"{read.found:,} faces were found; explained are the {len(faces)} largest")
    if sanity is None and faces[0].cam is not None:
        out.print("no face has a Grad-CAM map that is not empty: nothing to check")
    if sanity is not None:
        verdict = "passed" if sanity.passed else "not passed: do not rely on the Grad-CAM maps"
        out.print(
            f"sanity check {verdict}; correlation with maps of random weights "
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
