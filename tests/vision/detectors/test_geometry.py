from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mien.vision.detectors._geometry import tiles


@pytest.mark.parametrize(
    ("shape", "side_px"),
    [((2700, 3600), (960, 1280)), ((281, 3600), (432, 1280)), ((100, 100), (100, 100)),
     ((101, 700), (100, 640)), ((1, 1), (432, 432))],
)  # fmt: skip
def test_whatever_is_smaller_than_the_overlap_is_whole_in_one_tile(shape, side_px):
    overlap_px = 72
    found = list(tiles(shape, side_px, overlap_px))
    for axis in (0, 1):
        spans = sorted({(tile[1 - axis], tile[3 - axis]) for tile in found})
        assert spans[0][0] == 0
        assert spans[-1][1] == shape[axis]
        assert all(end - start == min(side_px[axis], shape[axis]) for start, end in spans)
        for (_, end), (start, _) in pairwise(spans):
            assert end - start >= overlap_px
    covered = np.zeros(shape, bool)
    for left, top, right, bottom in found:
        covered[top:bottom, left:right] = True
    assert covered.all()
