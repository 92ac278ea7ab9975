"""Class folders: ``train/<class>/1.png``, ``test/…``, or ``<class>/1.png`` without splits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import USAGES
from mien.data.formats._fields import fitting_sets
from mien.data.formats._files import subfolders, visible_files, walk_files
from mien.data.formats._foreign import describe_file, first_content
from mien.data.formats._image_files import ImageFile, ImageFilesFormat, Listing, mark_drawn
from mien.data.formats.base import FORMATS, Source
from mien.data.split import split_of
from mien.errors import DataError
from mien.images.crop import RELEASE_EVERY, encode_png
from mien.images.decode import IMAGE_SUFFIXES
from mien.images.kinds import identify
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
    keeps_drawn = True

    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return the image files below a folder."""
        if len(paths) != 1 or not paths[0].is_dir():
            return None
        found = list_files(paths[0])
        files = tuple(image.path for image in found.images) + tuple(found.stray)
        return Source(paths[0].absolute().name, files, paths[0])

    def list_images(self, source: Source) -> Listing:
        """Return the images in class folders, and a line about each image in none."""
        assert source.root is not None
        found = list_files(source.root)
        bad = [f"{path}: is in no class folder{why}" for path, why in found.stray.items()]
        notes = []
        if found.empty:
            names = ", ".join(str(folder.relative_to(source.root)) for folder in found.empty)
            notes.append(f"these folders have no images in them: {names}")
        return Listing(found.images, bad, notes)

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
        if dataset.drawn:
            mark_drawn(path)


@dataclass
class Found:
    """The image files below a folder.

    Args:
        images: files in class folders, in the order in which they are read.
        stray: files in no class folder, each with the rest of a line that says so.
        empty: class folders and split folders without images.
    """

    images: list[ImageFile]
    stray: dict[Path, str]
    empty: list[Path]


def list_files(root: Path) -> Found:
    """Return the image files in the class folders below a folder, and those in no class folder.

    Files are sorted by name, with numbers in names compared as numbers: files named after their row
    (``Training_17.png``) are in the order of the rows. Files are images by their suffix, or, with
    any other suffix, by their first bytes.

    Raises:
        DataError: if no class folder has an image in it, or a folder cannot be listed.
    """
    found: list[tuple[Path, str, str]] = []  # path, split, class folder
    wrappers = _wrappers(root)
    top = wrappers[-1]
    splits = {folder: split_of(folder.name) for folder in subfolders(top)}
    parents = [(split, folder) for folder, split in splits.items() if split] or [("", top)]
    empty = []
    for split, parent in parents:
        before = len(found)
        for folder in subfolders(parent):
            inside = list(_images(walk_files(folder)))
            if inside:
                found += [(path, _split_of(path, folder, split), folder.name) for path in inside]
            else:
                empty.append(folder)
        if len(found) == before and parent != top:
            empty.append(parent)
    if not found:
        raise _nothing_found(root)
    found.sort(key=lambda file: (natural_key(file[0].name), str(file[0])))
    images = [
        ImageFile(path, folder, split, row)
        for row, (path, split, folder) in enumerate(found, start=1)
    ]
    return Found(images, _stray_files([*wrappers, *(p for s, p in parents if s)], splits), empty)


def _stray_files(levels: list[Path], splits: dict[Path, str | None]) -> dict[Path, str]:
    """Return the image files in no class folder, each with the rest of a line that says so.

    Args:
        levels: folders whose own files are in no class folder.
        splits: folders at the level of the splits, each with its split.
    """
    stray = {
        path: f", expected {path.parent.name}/<class>/{path.name}"
        for level in levels
        for path in _images(visible_files(level, "*"))
    }
    known = " and ".join(f"{folder.name}/" for folder, split in splits.items() if split)
    if known:
        for folder in (folder for folder, split in splits.items() if not split):
            why = (
                f" of a split: {folder.name}/ is beside {known}, but its name is no split's; "
                "rename it to train, val or test, or move it out"
            )
            stray.update(dict.fromkeys(_images(walk_files(folder)), why))
    return stray


def _nothing_found(root: Path) -> DataError:
    """Return an error that names the folders in a folder, and the first file of a foreign kind."""
    folders = ", ".join([folder.name for folder in subfolders(root)][:_SHOWN]) or "none"
    files = visible_files(root, "*")
    kinds = ((path, *describe_file(path)) for path in files)
    lines = (f"; it holds {path.name}, {kind}: {advice}" for path, kind, advice in kinds if advice)
    holds = next(lines, "")
    return DataError(
        f"{root}: no class folder with images in it (folders found: {folders}), expected one "
        "folder for each class, with or without train/ and test/ around them, or a CSV or "
        f"Parquet file{holds}"
    )


def _wrappers(root: Path) -> list[Path]:
    """Return a folder and the wrapper folders below it (``archive/images/train/…``), to the last.

    Wrapper folders are folders with one folder in them.
    """
    wrappers = [root]
    while True:
        folders = subfolders(wrappers[-1])
        if len(folders) != 1 or not subfolders(folders[0]):
            return wrappers
        name = folders[0].name
        if split_of(name) or fitting_sets([name]):
            return wrappers
        wrappers.append(folders[0])


def natural_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts Training_9.png before Training_10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]


def _split_of(path: Path, class_folder: Path, split: str) -> str:
    """Return the split that a file's name states (``PublicTest_17.png``), else its folder's.

    The popular folder release has both PublicTest and PrivateTest in ``test/``. Where there are no
    split folders, folders inside the class folder may name the split (``happy/train/1.png``).
    """
    word = path.name.split("_", 1)[0]
    if word in USAGES.values():
        return split_of(word) or split
    if split or path.parent == class_folder:
        return split
    return split_of(path.relative_to(class_folder).parts[0]) or ""


def _images(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the images among files: by their suffix, else by their first bytes."""
    for path in paths:
        if path.suffix.lower() in IMAGE_SUFFIXES or _has_image(path):
            yield path


def _has_image(path: Path) -> bool:
    return path.is_file() and identify(first_content(path)).group in ("photo", "picture")
