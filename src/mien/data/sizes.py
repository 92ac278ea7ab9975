"""Read the sizes of a data set's image files, before the images became crops."""

from __future__ import annotations

from mien.data.dataset import FaceDataset
from mien.data.formats._files import readable
from mien.data.load import Paths, find_source
from mien.images.header import Size


@readable()
def read_sizes(dataset: FaceDataset, data: Paths) -> list[Size] | None:
    """Return the width and height, in pixels, of each image's file.

    Sizes come from the headers of the image files, and from decoded images if a header is not
    enough.

    Args:
        dataset: data set, as loaded from `data`.
        data: path or paths that it was loaded from.

    Returns:
        Sizes in the order of the data set; None if its layout stores pixels, not image files.

    Raises:
        DataError: if a file is gone, or can no longer be read.
    """
    _, stored, source = find_source(data)
    return list(stored.read_sizes(source, dataset)) if stored.keeps_image_files else None
