"""Emotion folders: ``train/happy/1.png``, ``test/…``, or ``happy/1.png`` with no split at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.data.dataset import FaceDataset
from mien.data.rows import Rows, text_array
from mien.data.split import COMPETITION_WORDS, split_of
from mien.errors import DataError
from mien.images.crop import SIZE_PX, to_crop
from mien.images.decode import IMAGE_SUFFIXES, read_image
from mien.io.files import atomic_folder
from mien.labels import EMOTIONS, parse_emotion

_WORKERS: Final = 2
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class FaceFile:
    """One image file of a folder data set, with what its place says of it."""

    path: Path
    split: str  # an empty string where no folder names one
    label: int


def list_faces(root: Path) -> tuple[list[FaceFile], list[str]]:
    """Return the image files below ``root``, and a line for each whose folder says no emotion.

    The order is that of the file names, their numbers compared as numbers: for files named by
    their row (``Training_17.png``) it is the order of the rows.

    Raises:
        DataError: if there is no emotion folder with an image in it, or the folders are numbered
            otherwise than FER-2013's labels.
    """
    faces: list[FaceFile] = []
    unknown: list[str] = []
    top = _descend(root)
    splits = {folder: split_of(folder.name) for folder in _subfolders(top)}
    parents = [(split, folder) for folder, split in splits.items() if split] or [("", top)]
    for split, parent in parents:
        if split:
            unknown += [
                f"{path}: stands in no emotion folder, expected one inside {parent.name}/"
                for path in _images(parent, "*")
            ]
        for folder in _subfolders(parent):
            images = list(_images(folder))
            try:
                label = parse_emotion(folder.name)
            except DataError as error:
                _refuse_other_numbers(folder, images)
                unknown += [f"{path}: {error}" for path in images]
                continue
            faces += [FaceFile(path, _split_by_name(path, split), label) for path in images]
    if parents[0][0]:  # emotion folders beside the split folders belong to no split
        beside = [folder for folder, split in splits.items() if not split]
        unknown += [
            f"{path}: stands beside the split folders, expected inside one of them"
            for folder in beside
            if _is_emotion(folder.name)
            for path in _images(folder)
        ]
    if not faces:
        found = ", ".join(sorted(folder.name for folder in _subfolders(root))[:6]) or "none"
        raise DataError(
            f"{root}: no emotion folder with images in it (folders found: {found}), expected "
            f"{EMOTIONS[0]}/, {EMOTIONS[1]}/ … or train/{EMOTIONS[0]}/ …, or a CSV or Parquet file"
        )
    faces.sort(key=lambda face: (_natural(face.path.name), str(face.path)))
    return faces, unknown


def read_folders(root: Path, *, skip_bad: bool = False) -> Rows:
    """Read emotion folders, images of any size and colour, as 48×48 gray crops.

    Args:
        root: the folder that holds the split folders or the emotion folders.
        skip_bad: leave out unreadable images and folders of other emotions, and list them.

    Raises:
        DataError: for the first folder or image that cannot be used.
    """
    faces, skipped = list_faces(root)
    if skipped and not skip_bad:
        raise DataError(f"{skipped[0]}; rename or move its folder, or leave it out by --skip-bad")
    images = np.empty((len(faces), SIZE_PX, SIZE_PX), np.uint8)
    good = np.ones(len(faces), bool)
    with ThreadPoolExecutor(_WORKERS) as pool:
        for index, result in enumerate(pool.map(_read_crop, faces, chunksize=64)):
            if isinstance(result, DataError):
                if not skip_bad:
                    pool.shutdown(cancel_futures=True)
                    raise DataError(f"{result}; --skip-bad leaves bad images out and lists them")
                skipped.append(str(result))
                good[index] = False
            else:
                images[index] = result
    if not good.any():
        raise DataError(f"{root}: none of the {len(faces):,} images can be read")
    kept = [face for face, fine in zip(faces, good, strict=True) if fine]
    return Rows(
        images=images if good.all() else images[good],
        labels=np.array([face.label for face in kept], np.int64),
        splits=np.array([face.split for face in kept], "<U5"),
        ids=text_array(face.path.relative_to(root).as_posix() for face in kept),
        skipped=skipped,
    )


def write_folders(dataset: FaceDataset, root: Path) -> None:
    """Write a data set as ``root/<split>/<emotion>/<Usage>_<number>.png``, without loss.

    The competition's word in the file name keeps the order, and val apart from test, as in the
    folder release that people download.
    """
    with atomic_folder(root) as temporary:
        fill_folder(dataset, temporary)


def fill_folder(dataset: FaceDataset, root: Path) -> None:
    """Write a data set, as `write_folders` does, into a folder that is there."""
    for number, (image, label, split) in enumerate(
        zip(dataset.images, dataset.labels, dataset.splits, strict=True)
    ):
        folder = root / str(split) / EMOTIONS[label]
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{COMPETITION_WORDS[str(split)]}_{number}.png"
        (folder / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())


def _read_crop(face: FaceFile) -> np.ndarray | DataError:
    try:
        return to_crop(read_image(face.path))
    except DataError as error:
        return error


def _descend(root: Path) -> Path:
    """Go through wrapper folders (``archive/images/train/…``) that hold one folder only."""
    while True:
        folders = _subfolders(root)
        if len(folders) != 1 or split_of(folders[0].name) or _is_emotion(folders[0].name):
            return root
        root = folders[0]


def _split_by_name(path: Path, split: str) -> str:
    """Return the split that a file name states (``PublicTest_17.png``), else its folder's.

    The popular folder release puts PublicTest and PrivateTest together in ``test/``.
    """
    word = path.name.split("_", 1)[0]
    if word in COMPETITION_WORDS.values():
        return split_of(word) or split
    return split


def _subfolders(root: Path) -> list[Path]:
    try:
        return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError as error:
        raise DataError(f"{root}: cannot be listed ({error.strerror})") from error


def _images(folder: Path, pattern: str = "**/*") -> Iterator[Path]:
    for path in folder.glob(pattern):
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("."):
            yield path


def _refuse_other_numbers(folder: Path, images: list[Path]) -> None:
    """Refuse folders 1 to 7, as other data sets have: 1 would be read as FER-2013's disgust."""
    if folder.name.isdecimal() and images:
        raise DataError(
            f"{folder}: folders are numbered as in another data set than FER-2013 (0 to 6: "
            f"{', '.join(EMOTIONS)}); rename them to emotions"
        )


def _is_emotion(name: str) -> bool:
    try:
        parse_emotion(name)
    except DataError:
        return False
    return True


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key by which Training_9.png comes before Training_10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]
