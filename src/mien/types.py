"""The array types that rooms share, each named once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Image = npt.NDArray[np.uint8]  # (height, width, 3), blue-green-red, or gray (height, width)
Images = npt.NDArray[np.uint8]  # (N, height, width), or (N, height, width, 3)
Labels = npt.NDArray[np.int64]  # (N,)
Mask = npt.NDArray[np.bool_]  # (N,)
Logits = npt.NDArray[np.float32]  # (N, classes)
Probabilities = npt.NDArray[np.float32]  # (N, classes)
Strings = npt.NDArray[np.str_]  # (N,)
