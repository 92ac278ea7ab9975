"""Emotion folders: ``train/happy/1.png``, ``test/…``, or ``happy/1.png`` without splits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import USAGES
from mien.data.formats.base import FORMATS, Format, Source
from mien.data.rows import Rows, text_array
from mien.data.split import split_of
from mien.errors import DataError
from mien.images.crop import SIZE_PX, to_crop
from mien.images.decode import IMAGE_SUFFIXES, read_image
from mien.images.header import Size, image_size
from mien.labels import EMOTIONS, NUM_CLASSES, parse_emotion
from mien.types import Image

_WORKERS: Final = 2
_DIGITS = re.compile(r"(\d+)")


@FORMATS.register("folders")
class FoldersFormat(Format):
    """One folder for each emotion, inside a folder for each split if there are splits.

    Row numbers are the positions of the image files in the order in which they are read.
    """

    expects = "a folder of emotion folders"
    order = 100  # accepts every folder, or explains what is missing in it
    keeps_image_files = True

    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return the image files below a folder."""
        if len(paths) != 1 or not paths[0].is_dir():
            return None
        faces, unknown = list_faces(paths[0])
        root = paths[0].absolute()
        return Source(root.name, tuple(face.path for face in faces), paths[0], tuple(unknown))

    def read(self, source: Source, *, skip_bad: bool) -> Rows:
        """Read the image files (see `read_folders`)."""
        assert source.root is not None
        return read_folders(source.root, skip_bad=skip_bad)

    def write(self, dataset: FaceDataset, path: Path) -> None:
        """Write ``<split>/<emotion>/<Usage>_<number>.png``, without loss.

        The Usage in the file name keeps the order, and val apart from test, as in the popular
        folder release.
        """
        for number, (image, label, split) in enumerate(
            zip(dataset.images, dataset.labels, dataset.splits, strict=True)
        ):
            folder = path / str(split) / EMOTIONS[label]
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{USAGES[str(split)]}_{number}.png"
            (folder / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())

    def read_sizes(self, source: Source, dataset: FaceDataset) -> Iterable[Size]:
        """Yield the sizes of the image files, which the data set's ids name."""
        assert source.root is not None
        for name in dataset.ids.tolist():
            path = source.root / name
            try:
                content = path.read_bytes()
            except OSError as error:
                raise DataError(f"{path}: cannot be read ({error.strerror})") from error
            yield image_size(content, str(path))


@dataclass(frozen=True)
class FaceFile:
    """An image file with the split and the label that its folders state.

    Args:
        path: path of the image file.
        split: name of the split; empty if no folder states one.
        label: label of the emotion folder.
    """

    path: Path
    split: str
    label: int


def list_faces(root: Path) -> tuple[list[FaceFile], list[str]]:
    """Return the image files below a folder, and a line for each file without a known emotion.

    Files are sorted by name, with numbers in names compared as numbers: files named after their row
    (``Training_17.png``) are in the order of the rows.

    Raises:
        DataError: if no emotion folder has an image in it, or folders are numbered in another way
            than FER-2013's labels.
    """
    faces: list[FaceFile] = []
    unknown: list[str] = []
    top = _descend(root)
    splits = {folder: split_of(folder.name) for folder in _subfolders(top)}
    parents = [(split, folder) for folder, split in splits.items() if split] or [("", top)]
    for split, parent in parents:
        if split:
            unknown += [
                f"{path}: is in no emotion folder, expected {parent.name}/<emotion>/{path.name}"
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
    if parents[0][0]:  # emotion folders next to split folders belong to no split
        beside = [folder for folder, split in splits.items() if not split]
        unknown += [
            f"{path}: is next to the split folders, expected inside one of them"
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
    """Read emotion folders with images of any size and colour as 48×48 gray crops.

    Args:
        root: folder that holds the split folders or the emotion folders.
        skip_bad: leave out unreadable images and folders of other emotions and list them in
            ``skipped``, instead of raising an error at the first.

    Raises:
        DataError: if nothing can be read, or at the first folder or image that cannot be used.
    """
    faces, skipped = list_faces(root)
    if skipped and not skip_bad:
        raise DataError(f"{skipped[0]}; rename or move its folder, or leave it out with --skip-bad")
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
    (where,) = np.nonzero(good)
    kept = [faces[index] for index in where]
    return Rows(
        images=images if good.all() else images[good],
        labels=np.array([face.label for face in kept], np.int64),
        splits=np.array([face.split for face in kept], "<U5"),
        ids=text_array(face.path.relative_to(root).as_posix() for face in kept),
        rows=where + 1,
        skipped=skipped,
    )


def _read_crop(face: FaceFile) -> Image | DataError:
    try:
        return to_crop(read_image(face.path))
    except DataError as error:
        return error


def _descend(root: Path) -> Path:
    """Return the folder below wrapper folders (``archive/images/train/…``) with one folder each."""
    while True:
        folders = _subfolders(root)
        if len(folders) != 1 or split_of(folders[0].name) or _is_emotion(folders[0].name):
            return root
        root = folders[0]


def _split_by_name(path: Path, split: str) -> str:
    """Return the split that the file name states (``PublicTest_17.png``), else its folder's.

    The popular folder release has both PublicTest and PrivateTest in ``test/``.
    """
    word = path.name.split("_", 1)[0]
    if word in USAGES.values():
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
    """Refuse folders 1 to 7, as in other data sets: 1 would be read as FER-2013's disgust."""
    if folder.name.isdecimal() and images:
        raise DataError(
            f"{folder}: folders are not numbered as in FER-2013 (0 to {NUM_CLASSES - 1}: "
            f"{', '.join(EMOTIONS)}); rename them to emotions"
        )


def _is_emotion(name: str) -> bool:
    try:
        parse_emotion(name)
    except DataError:
        return False
    return True


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts Training_9.png before Training_10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]
