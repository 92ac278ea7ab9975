"""How large images were in their files, before they became 48×48 crops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from mien.data.dataset import FaceDataset
from mien.data.load import Paths, as_paths
from mien.errors import DataError
from mien.images.decode import decode_image
from mien.images.header import Size, header_size

_ROWS_A_BATCH: Final = 2048
# A file that has one of these may say that it is to be turned, which swaps width and height.
_MAY_BE_TURNED: Final = (b"Exif", b"eXIf", b"EXIF")


def read_sizes(dataset: FaceDataset, data: Paths) -> list[Size] | None:
    """Return the width and height in pixels of every image in the files of a data set.

    They are read from the files' headers, and from decoded images where those do not do. The order
    is the files', not the data set's.

    Args:
        dataset: as loaded from ``data``; images that it left out are not counted.
        data: the path or paths that it was loaded from.

    Returns:
        None for layouts that hold 48×48 pixels and no image files: CSV, and drawn faces.

    Raises:
        DataError: if a file is gone, or can no longer be read.
    """
    paths = as_paths(data)
    if dataset.layout == "folders":
        return [_file_size(paths[0] / name) for name in dataset.ids.tolist()]
    if dataset.layout == "parquet":
        return list(_parquet_sizes(paths, dataset.ids.tolist()))
    return None


def image_size(content: bytes, name: str) -> Size:
    """Return an image's width and height as it is seen, from its header where that is enough.

    Raises:
        DataError: if it is no image that can be decoded.
    """
    if not any(mark in content for mark in _MAY_BE_TURNED):
        size = header_size(content)
        if min(size) > 0:  # a JPEG may state its height at its end
            return size
    height, width = decode_image(content, name).shape[:2]
    return width, height


def _file_size(path: Path) -> Size:
    try:
        return image_size(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _parquet_sizes(paths: Iterable[Path], ids: list[str]) -> Iterator[Size]:
    import pyarrow.parquet as pq

    wanted = set(ids)
    names = {identifier.rpartition(": row ")[0] for identifier in wanted}
    for path in paths:
        files = (
            [path] if path.is_file() else [*path.glob("*.parquet"), *path.glob("data/*.parquet")]
        )
        for file in sorted(file for file in files if file.name in names):
            number = 0
            for batch in pq.ParquetFile(file).iter_batches(_ROWS_A_BATCH, columns=["image"]):
                for image in batch.column(0).to_pylist():
                    number += 1
                    if f"{file.name}: row {number}" in wanted:
                        content = image["bytes"] if isinstance(image, dict) else image
                        yield image_size(content, f"{file}: row {number:,}")
