"""JAFFE style: one folder of files whose names tell the class, such as ``KA.AN1.39.tiff``.

The parts of a name are the subject, the first two letters of the class with the number of the
photograph, and a running number.

Source: Lyons et al., Coding Facial Expressions with Gabor Wavelets, 1998.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mien.data.formats._files import subfolders, visible_files
from mien.data.formats._image_files import ImageFile, ImageFilesFormat, Listing
from mien.data.formats.base import FORMATS, Source
from mien.data.formats.folders import natural_key
from mien.images.decode import IMAGE_SUFFIXES
from mien.labels import FER2013

_CLASSES: Final = {name[:2].upper(): name for name in FER2013.names}
_NAME: Final = re.compile(r"[A-Z]{2}\.([A-Z]{2})\d*\.\d+", re.IGNORECASE)


@FORMATS.register("jaffe")
class JaffeFormat(ImageFilesFormat):
    """One folder of image files named as JAFFE's. Row numbers are positions in their order."""

    expects = "a folder of files named as in JAFFE (KA.AN1.39.tiff)"
    order = 45

    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return a folder, or the only one in it, in which a file is named as in JAFFE."""
        if len(paths) != 1 or not paths[0].is_dir():
            return None
        files = _image_files(paths[0])
        if not any(_class_of(path) for path in files):
            return None
        return Source(paths[0].absolute().name, tuple(files), paths[0])

    def list_images(self, source: Source) -> Listing:
        """Return the image files, and a line about each whose name tells no class."""
        listing = Listing()
        for row, path in enumerate(source.files, start=1):
            if word := _class_of(path):
                listing.images.append(ImageFile(path, word, "", row))
            else:
                listing.bad.append(
                    f"{path}: its name tells no class, expected such as KA.AN1.39.tiff with one of "
                    f"{', '.join(_CLASSES)}"
                )
        return listing


def _image_files(root: Path) -> list[Path]:
    folder = root
    while True:
        inner = subfolders(folder)
        found = [
            path for path in visible_files(folder, "*") if path.suffix.lower() in IMAGE_SUFFIXES
        ]
        if found or len(inner) != 1:
            return sorted(found, key=lambda path: natural_key(path.name))
        (folder,) = inner


def _class_of(path: Path) -> str | None:
    """Return the name of the class that a file name states; None if it states none."""
    match = _NAME.fullmatch(path.stem)
    return _CLASSES.get(match[1].upper()) if match else None
