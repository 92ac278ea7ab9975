"""Layouts that keep every image in a file of its own: they list the files, and read them alike."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from mien.data.dataset import FaceDataset
from mien.data.formats._fields import DRAWN, UnknownLabelError, is_number
from mien.data.formats.base import Format, ReadOptions, Source
from mien.data.rows import Rows, collect_images, text_array
from mien.errors import DataError
from mien.images.crop import to_crop
from mien.images.decode import read_image, read_image_file
from mien.images.header import Size
from mien.images.size import image_size
from mien.io.limits import BAD_ROWS, ROWS
from mien.labels import BUILT_IN, FER2013, LabelSet
from mien.types import Crop

_WORKERS: Final = 2
_BLOCK: Final = 256  # images at a time


class ImageFile(NamedTuple):
    """An image file, and what the layout tells about it.

    Args:
        path: path of the file.
        word: name or number of its class.
        split: name of its split; empty if none is stated.
        row: row number of the image in the data set, from 1.
        listed: place at which a list names it, such as ``list.csv: row 3``; empty without a list.
    """

    path: Path
    word: str
    split: str
    row: int
    listed: str = ""


@dataclass
class Listing:
    """The image files of a data set.

    Args:
        images: image files in the order of the data set.
        bad: one line for each file or row that is no image with a class.
        notes: lines that the user should read about how the files were read.
    """

    images: list[ImageFile] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class ImageFilesFormat(Format):
    """A layout of image files: a subclass recognizes and lists them."""

    keeps_image_files = True

    @abstractmethod
    def list_images(self, source: Source) -> Listing:
        """Return the image files of a data set.

        Raises:
            DataError: if there are none.
        """

    def read(self, source: Source, options: ReadOptions) -> Rows:
        """Read image files of any size and colour.

        Raises:
            DataError: if nothing can be read, or at the first image or class that cannot be used.
        """
        listing = self.list_images(source)
        ROWS.check(len(listing.images), source.name)
        if listing.bad and not options.skip_bad:
            raise DataError(f"{listing.bad[0]}; mend it, or leave it out with --skip-bad")
        labels, unknown = resolve_labels(source.name, listing.images, options)
        notes = [*listing.notes]
        if options.labels == FER2013 and any(map(is_number, labels)):
            numbers = ", ".join(f"{number} {name}" for number, name in enumerate(FER2013.names))
            notes.append(
                f"the numbers of the classes are read as FER-2013's ({numbers}); data sets that "
                "number them in another way need data.labels (--labels)"
            )
        rows = _read_images(listing, labels, source, options)
        rows.unknown, rows.notes = unknown, notes
        rows.drawn = source.root is not None and drawn_mark(source.root).is_file()
        return rows

    def find_labels(self, source: Source) -> Iterable[str]:
        """Return the names or numbers of the classes."""
        return {image.word for image in self.list_images(source).images}

    def read_sizes(self, source: Source, dataset: FaceDataset) -> Iterable[Size]:
        """Yield the sizes of the image files, which the data set's ids name."""
        assert source.root is not None
        for name in dataset.ids.tolist():
            path = source.root / name
            yield image_size(read_image_file(path), str(path))


def mark_drawn(root: Path) -> None:
    """Write a file into the folder of a data set that says that mien drew its faces."""
    drawn_mark(root).write_text("mien drew these faces; they show no people.\n", encoding="utf-8")


def drawn_mark(root: Path) -> Path:
    """Return the path of the file that says so."""
    return root / f"{DRAWN}.txt"


def resolve_labels(
    name: str, images: Iterable[ImageFile], options: ReadOptions
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the label of each class, and the number of images of each unknown class.

    Args:
        name: name of the data set in errors.
        images: image files, which name or number their classes.
        options: labels, and whether unknown classes may be left out. They may not if no class is
            known, or if the files seem to number their classes in another way (`_only_adds`).

    Raises:
        UnknownLabelError: if a class is unknown and may not be left out.
    """
    counts: Counter[str] = Counter()
    firsts: dict[str, ImageFile] = {}
    for image in images:
        counts[image.word] += 1
        firsts.setdefault(image.word, image)
    known = options.labels
    labels = {word: label for word in counts if (label := known.find(word)) is not None}
    unknown = {word: count for word, count in counts.items() if word not in labels}
    if not unknown:
        return labels, unknown
    number = min(filter(is_number, unknown), key=int, default=None)
    if number is not None and not _only_adds(int(number), labels, known):
        title = known.title if known.title in BUILT_IN else "data.labels (--labels)"
        raise UnknownLabelError(
            f"{name}: the classes are not numbered as in {title}, expected {known.expected()}, "
            f"found {number!r}",
            number,
        )
    if options.skip_bad and labels:
        return labels, unknown
    word = next(iter(unknown))
    try:
        known.parse(word)
    except DataError as error:
        leave = "; --skip-bad leaves it out" if labels else ""
        where = firsts[word].listed or firsts[word].path
        raise UnknownLabelError(f"{where} has the {error}{leave}", word) from None
    raise AssertionError(word)


def _only_adds(number: int, labels: dict[str, int], known: LabelSet) -> bool:
    """Return whether files seem to be numbered as a label set is, with more classes behind its own.

    AffectNet's eight classes extend its seven, so that 7 alone can be left out. RAF-DB's 1 to 7 lie
    across FER-2013's 0 to 6: without 7, each of the others would be read as another class. So all
    numbers of the set have to occur, and the unknown ones have to be larger. FER-2013's set is the
    default, which nobody may have chosen, and no release of it has more classes.

    Args:
        number: lowest unknown number.
        labels: label of each known class of the files.
        known: label set.
    """
    numbers = {int(word) for word in labels if is_number(word)}
    if not numbers:
        return True
    extends = numbers.issuperset(known.numbering) and number > max(known.numbering)
    return extends and known != FER2013


def _read_images(
    listing: Listing, labels: dict[str, int], source: Source, options: ReadOptions
) -> Rows:
    """Read the images of known classes, a block at a time."""
    faces = [image for image in listing.images if image.word in labels]
    skipped = listing.bad + [
        f"{image.listed or image.path}: its class {image.word!r} is none of the labels"
        for image in listing.images
        if image.word not in labels
    ]
    crops, kept = collect_images(options.crop), []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for start in range(0, len(faces), _BLOCK):
            block = faces[start : start + _BLOCK]
            good = []
            for face, result in zip(block, pool.map(partial(_read, options), block), strict=True):
                if not isinstance(result, DataError):
                    good.append(result)
                    kept.append(face)
                elif options.skip_bad:
                    skipped.append(str(result))
                else:
                    raise DataError(f"{result}; --skip-bad leaves bad images out and lists them")
            BAD_ROWS.check(len(skipped), source.name)
            if good:
                crops.add(np.stack(good))
    if not kept:
        raise DataError(
            f"{source.name}: none of the {len(skipped):,} images can be read ({skipped[0]})"
        )
    return Rows(
        images=crops.finish(),
        labels=np.array([labels[face.word] for face in kept], np.int64),
        splits=np.array([face.split for face in kept], "<U5"),
        ids=text_array(relative_name(face.path, source) for face in kept),
        rows=np.array([face.row for face in kept], np.int64),
        skipped=skipped,
    )


def relative_name(path: Path, source: Source) -> str:
    """Return a path relative to the root of the data set; as it is if it lies outside."""
    assert source.root is not None
    try:
        return path.relative_to(source.root).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def _read(options: ReadOptions, image: ImageFile) -> Crop | DataError:
    try:
        return to_crop(read_image(image.path), options.crop)
    except DataError as error:
        return DataError(f"{image.listed}: {error}") if image.listed else error
