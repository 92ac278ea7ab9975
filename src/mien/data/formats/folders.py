"""Class folders: ``train/<class>/1.png``, ``test/…``, or ``<class>/1.png`` without splits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import USAGES
from mien.data.formats._fields import fitting_sets
from mien.data.formats._image_files import ImageFile, ImageFilesFormat, Listing
from mien.data.formats.base import FORMATS, Source
from mien.data.split import split_of
from mien.errors import DataError
from mien.images.crop import RELEASE_EVERY, encode_png
from mien.images.decode import IMAGE_SUFFIXES
from mien.io.mapped import release_pages

_SHOWN: Final = 6  # folders that an error names
_DIGITS = re.compile(r"(\d+)")


@FORMATS.register("folders")
class FoldersFormat(ImageFilesFormat):
    """One folder for each class, inside a folder for each split if there are splits.

    Row numbers are the positions of the image files in the order in which they are read.
    """

    expects = "a folder of class folders"
    order = 100  # accepts every folder, or explains what is missing in it

    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return the image files below a folder."""
        if len(paths) != 1 or not paths[0].is_dir():
            return None
        listing, stray = list_files(paths[0])
        found = tuple(image.path for image in listing) + tuple(stray)
        return Source(paths[0].absolute().name, found, paths[0])

    def list_images(self, source: Source) -> Listing:
        """Return the images in class folders, and a line about each image in none."""
        assert source.root is not None
        images, stray = list_files(source.root)
        bad = [
            f"{path}: is in no class folder, expected {path.parent.name}/<class>/{path.name}"
            for path in stray
        ]
        return Listing(images, bad)

    def write(self, dataset: FaceDataset, path: Path) -> None:
        """Write ``<split>/<class>/<Usage>_<number>.png``, without loss.

        The Usage in the file name keeps the order, and val apart from test, as in the popular
        folder release.
        """
        for number, (image, label, split) in enumerate(
            zip(dataset.images, dataset.labels, dataset.splits, strict=True)
        ):
            folder = path / str(split) / dataset.names[label]
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{USAGES[str(split)]}_{number}.png"
            (folder / name).write_bytes(encode_png(image))
            if number % RELEASE_EVERY == 0:
                release_pages(dataset.images)


def list_files(root: Path) -> tuple[list[ImageFile], list[Path]]:
    """Return the image files in the class folders below a folder, and those in no class folder.

    Files are sorted by name, with numbers in names compared as numbers: files named after their row
    (``Training_17.png``) are in the order of the rows.

    Raises:
        DataError: if no class folder has an image in it.
    """
    found: list[tuple[Path, str, str]] = []  # path, split, class folder
    top = descend(root)
    splits = {folder: split_of(folder.name) for folder in subfolders(top)}
    parents = [(split, folder) for folder, split in splits.items() if split] or [("", top)]
    stray = [path for _, parent in parents for path in _images(parent, "*")]
    for split, parent in parents:
        for folder in subfolders(parent):
            found += [(path, _split_by_name(path, split), folder.name) for path in _images(folder)]
    if parents[0][0]:  # class folders next to split folders belong to no split
        beside = [folder for folder, split in splits.items() if not split]
        stray += [path for folder in beside for path in _images(folder)]
    if not found:
        folders = [folder.name for folder in subfolders(root)]
        shown = ", ".join(sorted(folders)[:_SHOWN]) or "none"
        raise DataError(
            f"{root}: no class folder with images in it (folders found: {shown}), expected one "
            "folder for each class, with or without train/ and test/ around them, or a CSV or "
            "Parquet file"
        )
    found.sort(key=lambda file: (natural_key(file[0].name), str(file[0])))
    images = [
        ImageFile(path, folder, split, row)
        for row, (path, split, folder) in enumerate(found, start=1)
    ]
    return images, stray


def descend(root: Path) -> Path:
    """Return the folder below wrapper folders (``archive/images/train/…``) with one folder each."""
    while True:
        folders = subfolders(root)
        if len(folders) != 1 or not subfolders(folders[0]):
            return root
        name = folders[0].name
        if split_of(name) or fitting_sets([name]):
            return root
        root = folders[0]


def subfolders(root: Path) -> list[Path]:
    """Return the folders in a folder, sorted; hidden ones are left out.

    Raises:
        DataError: if the folder cannot be listed.
    """
    try:
        return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError as error:
        raise DataError(f"{root}: cannot be listed ({error.strerror})") from error


def natural_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts Training_9.png before Training_10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]


def _split_by_name(path: Path, split: str) -> str:
    """Return the split that the file name states (``PublicTest_17.png``), else its folder's.

    The popular folder release has both PublicTest and PrivateTest in ``test/``.
    """
    word = path.name.split("_", 1)[0]
    if word in USAGES.values():
        return split_of(word) or split
    return split


def _images(folder: Path, pattern: str = "**/*") -> Iterator[Path]:
    for path in folder.glob(pattern):
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("."):
            yield path
