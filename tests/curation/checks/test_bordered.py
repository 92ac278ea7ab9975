from __future__ import annotations

import numpy as np

from mien.curation.checks.bordered import border_widths


def test_borders_are_measured_in_pixels():
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
    images[1, :5] = 7
    images[2, :, -9:] = np.random.default_rng(1).integers(0, 4, (48, 9))
    images[3] = 200
    assert border_widths(images).tolist() == [0, 5, 9, 48]
