"""Array types with their shapes, for annotations."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Image = npt.NDArray[np.uint8]  # (height, width, 3), blue-green-red, or gray (height, width)
Crop = npt.NDArray[np.uint8]  # (side, side) in gray, or (side, side, 3), red-green-blue
Images = npt.NDArray[np.uint8]  # (N, side, side) or (N, side, side, 3), as in Crop
Floats = npt.NDArray[np.float64]  # any shape
Integers = npt.NDArray[np.int64]  # (N,), positions, row numbers or group numbers
Labels = npt.NDArray[np.int64]  # (N,)
Maps = npt.NDArray[np.float32]  # (N, height, width), a value for each pixel
Mask = npt.NDArray[np.bool_]  # (N,)
Logits = npt.NDArray[np.float32]  # (N, classes)
Probabilities = npt.NDArray[np.float32]  # (N, classes)
Strings = npt.NDArray[np.str_]  # (N,)
Votes = npt.NDArray[np.int8]  # (N, 10), counts in the order of mien.data.fer2013.FERPLUS_VOTES
