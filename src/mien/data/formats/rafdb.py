"""RAF-DB as its authors give it: a list of numbered labels, and a folder of aligned faces.

The list is called ``list_patition_label.txt`` and has lines such as ``train_00001.jpg 5``; that
face is ``Image/aligned/train_00001_aligned.jpg``. Its other form, folders ``train/1`` to
``test/7``, is the layout ``folders``.

Source: Li et al., Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression
Recognition in the Wild, 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from mien.data.formats._fields import is_number
from mien.data.formats._files import is_file
from mien.data.formats._image_files import ImageFile, ImageFilesFormat, Listing
from mien.data.formats.base import FORMATS, ReadOptions, Source
from mien.data.rows import Rows
from mien.data.split import split_of
from mien.errors import DataError
from mien.io.limits import CONTENT_MB, ROWS, read_file
from mien.labels import BUILT_IN

_LISTS: Final = ("list_patition_label.txt", "list_partition_label.txt")
# Folders that may hold the list, and those next to it that may hold the faces.
_LIST_FOLDERS: Final = (".", "EmoLabel", "basic", "basic/EmoLabel")
_IMAGE_FOLDERS: Final = ("Image/aligned", "aligned", "../Image/aligned", "../aligned", ".")


_EXAMPLE: Final = "lines such as: train_00001.jpg 5"
_PROBED: Final = 20  # lines by which the folder of the faces is found
_SHOWN: Final = 40  # characters of a line that errors show


@FORMATS.register("rafdb")
class RafDbFormat(ImageFilesFormat):
    """RAF-DB's own folder. Row numbers are the lines of its list."""

    expects = "RAF-DB's folder (list_patition_label.txt, Image/aligned)"
    order = 40

    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return a folder that has RAF-DB's list in it, or one folder deeper."""
        if len(paths) != 1 or not paths[0].is_dir():
            return None
        (root,) = paths
        listed = next(
            (
                path
                for folder in _LIST_FOLDERS
                for name in _LISTS
                if (path := root / folder / name).is_file()
            ),
            None,
        )
        if listed is None:
            return None
        source = Source(root.absolute().name, (listed,), root)
        images = self.list_images(source).images
        return replace(source, files=(listed, *(image.path for image in images)))

    def read(self, source: Source, options: ReadOptions) -> Rows:
        """Read the listed images.

        Raises:
            DataError: if the labels number their classes from another number than RAF-DB's,
                which would read every face as another emotion.
        """
        by_name = replace(options.labels, numbering=())  # and by alias
        for word in self.find_labels(source):
            numbered = is_number(word) and by_name.find(word) is None
            if numbered and min(options.labels.numbering, default=0) != 1:
                low, *_, high = BUILT_IN["rafdb"].numbering
                raise DataError(
                    f"{source.files[0]}: numbers the classes {low} to {high} as RAF-DB does, but "
                    f"the labels are {options.labels.expected()}; data.labels=rafdb "
                    "(--labels rafdb) names RAF-DB's"
                )
        return super().read(source, options)

    def list_images(self, source: Source) -> Listing:
        """Return the listed images, and a line about each line of the list that is none."""
        listed = source.files[0]
        content = read_file(listed, max_bytes=CONTENT_MB.value << 20)
        lines = content.decode("utf-8-sig", "surrogateescape").splitlines()
        ROWS.check(len(lines), listed)
        listing = Listing()
        for row, line in enumerate(lines, start=1):
            name, word = (*line.split(maxsplit=1), "", "")[:2]
            split = split_of(name.split("_")[0])
            where = f"{listed}: line {row:,}"
            if split and word and "\0" not in name:
                path = Path(name).with_stem(f"{Path(name).stem}_aligned")
                listing.images.append(ImageFile(path, word.strip(), split, row, where))
            elif name:
                listing.bad.append(f"{where} is {line.strip()[:_SHOWN]!r}, expected {_EXAMPLE}")
        if not listing.images:
            raise DataError(f"{listed}: lists no image, expected {_EXAMPLE}")
        folder = _image_folder(listed, [image.path for image in listing.images[:_PROBED]])
        listing.images = [image._replace(path=folder / image.path) for image in listing.images]
        return listing


def _image_folder(listed: Path, names: list[Path]) -> Path:
    """Return the folder of the aligned faces, by the first ones of them."""
    folders = [
        listed.parent.parent / folder[3:] if folder.startswith("../") else listed.parent / folder
        for folder in _IMAGE_FOLDERS
    ]
    for folder in folders:
        if any(is_file(folder / name) for name in names):
            return folder
    raise DataError(
        f"{listed}: lists {names[0]}, which is not there; expected it in {folders[0]} or "
        f"{folders[1]}"
    )
