"""The contract of data layouts: their base class, the files that they read, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from mien.errors import DataError
from mien.images.crop import DEFAULT_CROP, CropSpec
from mien.labels import FER2013, LabelSet
from mien.registry import Registry

if TYPE_CHECKING:
    from mien.data.dataset import FaceDataset
    from mien.data.rows import Rows
    from mien.images.header import Size

_START_BYTES: Final = 512


@dataclass(frozen=True)
class Source:
    """The files of one data set, as a format recognized them.

    Args:
        name: display name of the data set.
        files: files that the data set is read from; they decide when a cached copy is stale.
        root: folder that the ids of images are relative to; None if they name no files.
    """

    name: str
    files: tuple[Path, ...]
    root: Path | None = None


@dataclass(frozen=True)
class ReadOptions:
    """How the images of a data set are read.

    Args:
        labels: classes that the files may name or number; any other is an error.
        crop: size and channels of the crops.
        skip_bad: leave out rows and images that cannot be used and list them in ``skipped``,
            instead of raising an error at the first.
    """

    labels: LabelSet = FER2013
    crop: CropSpec = DEFAULT_CROP
    skip_bad: bool = False


DEFAULT_OPTIONS: Final = ReadOptions()


class Format(ABC):
    """A layout in which data sets are stored in files.

    A format is one class in a module of its own, named after the layout:

        @FORMATS.register("my_layout")
        class MyLayout(Format):
            expects = "one .npz file with images and labels"

    Attributes:
        expects: description of the layout, for the error about files in no known layout.
        order: rank at which the format may claim files as its own, lowest first. Formats that check
            the content come before those that accept nearly any file or folder.
        suffix: suffix of the file that `write` makes, such as ``.csv``; empty for a folder.
        keeps_votes: whether the layout stores FER+ votes.
        keeps_colour: whether the layout stores crops in colour.
        keeps_drawn: whether the layout remembers that mien drew the faces.
        keeps_image_files: whether the layout stores image files, whose sizes may differ.
        numbers_rows: whether an image's row number is its row in FER-2013's original CSV, so that
            FER+ votes can be joined to it.
    """

    expects: ClassVar[str]
    order: ClassVar[int] = 50
    suffix: ClassVar[str] = ""
    keeps_votes: ClassVar[bool] = False
    keeps_colour: ClassVar[bool] = True
    keeps_drawn: ClassVar[bool] = False
    keeps_image_files: ClassVar[bool] = False
    numbers_rows: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Refuse a format that keeps image files and cannot say how large they are."""
        super().__init_subclass__()
        if cls.keeps_image_files and cls.read_sizes is Format.read_sizes:
            raise TypeError(f"{cls.__name__} keeps image files, so it has to define read_sizes")

    @abstractmethod
    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return the data set at `paths`, or None if it is not in this layout.

        Args:
            paths: one file or folder, or several files; all of them exist.

        Raises:
            DataError: if the layout is recognized, but what to read is ambiguous.
        """

    @abstractmethod
    def read(self, source: Source, options: ReadOptions) -> Rows:
        """Read every image of a data set, in the order of its files.

        Args:
            source: data set, as `sniff` returned it.
            options: labels, size and channels to read, and what becomes of bad images.

        Raises:
            DataError: if nothing can be read, or at the first row or image that cannot be used.
        """

    def find_labels(self, source: Source) -> Iterable[str]:
        """Return the words by which the files name or number their classes, for labels ``auto``.

        A format that cannot tell them leaves this out.

        Raises:
            DataError: if the layout cannot tell, or a file cannot be read.
        """
        raise DataError(
            f"{source.name}: this layout does not tell its classes; name them instead of auto: "
            "data.labels (--labels) takes a list of names"
        )

    def has_votes(self, source: Source) -> bool:
        """Return whether the files hold FER+ votes; False for a layout that keeps none."""
        return False

    def write(self, dataset: FaceDataset, path: Path) -> None:
        """Write a data set so that reading it returns the same images, labels and splits.

        A layout that can only be read leaves this out.

        Args:
            dataset: data set to write, in colour only if `keeps_colour`.
            path: path of a new file, or of an empty folder if `suffix` is empty. The caller
                renames it when it is complete, and removes it after an error.
        """
        raise NotImplementedError(f"{type(self).__name__} can only be read")

    def read_sizes(self, source: Source, dataset: FaceDataset) -> Iterable[Size]:
        """Yield width and height, in pixels, of each image's file, in the order of the data set.

        A format that declares `keeps_image_files` overrides this; the others have no such files.

        Args:
            source: files that the data set was loaded from.
            dataset: data set, whose ``rows`` and ``ids`` say which images it has.

        Raises:
            DataError: if a file is gone, or can no longer be read.
        """
        del source, dataset
        return ()


FORMATS: Final[Registry[type[Format]]] = Registry(
    "layout", group="mien.formats", package="mien.data.formats", base=Format
)


def writable_layouts() -> list[str]:
    """Return the names of the layouts that can be written, sorted."""
    return [name for name, kind in FORMATS.all().items() if kind.write is not Format.write]


def first_bytes(path: Path) -> bytes:
    """Return the first bytes of a file, enough to recognize its format.

    Raises:
        DataError: if the file cannot be read.
    """
    try:
        with path.open("rb") as handle:
            return handle.read(_START_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
