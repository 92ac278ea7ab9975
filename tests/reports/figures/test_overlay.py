from __future__ import annotations

import numpy as np
import pytest

from mien.reports.figures.overlay import enlarge, heat_legend, overlay


def a_face(seed):
    return np.random.default_rng(seed).integers(0, 256, (48, 48), np.uint8)


def spot(level):
    heat = np.zeros((48, 48), np.float32)
    heat[30:40, 20:30] = level
    return heat


def test_where_the_map_is_zero_the_face_shows_through():
    image = a_face(0)
    plain, half = overlay(image, spot(0)), overlay(image, spot(1))
    assert plain.shape == (144, 144, 3)
    assert np.ptp(plain, axis=2).max() == 0  # gray
    assert np.array_equal(half[:60], plain[:60])
    bright = half[105, 75].astype(int)
    assert bright[2] > bright[0] + 60  # yellow: red and green, hardly any blue
    wild = overlay(image, np.where(spot(1) > 0, 7.0, -3.0))
    assert np.array_equal(wild, half)


@pytest.mark.parametrize("side", [24, 64, 144, 224])
def test_crops_of_any_size_are_shown_at_one_size_and_in_their_colours(side):
    red = np.zeros((side, side, 3), np.uint8)
    red[..., 0] = 200  # crops are red-green-blue, pictures blue-green-red
    plain = overlay(red, np.zeros((side, side), np.float32))
    assert plain.shape == (144, 144, 3)
    assert (plain == (0, 0, 200)).all()
    assert np.array_equal(enlarge(red), plain)


def test_brightness_rises_with_the_map():
    ramp = np.tile(np.linspace(0, 1, 48), (48, 1))
    blue, green, red = overlay(np.full((48, 48), 90, np.uint8), ramp)[72].astype(float).T
    luma = 0.114 * blue + 0.587 * green + 0.299 * red
    assert np.all(np.diff(luma[48:]) > -2)
    assert luma[-1] > luma[0] + 60


def test_the_legend_goes_from_gray_to_the_brightest_colour():
    legend = heat_legend()
    assert len(set(legend[0, 0].tolist())) == 1
    full = overlay(np.full((48, 48), 128, np.uint8), np.ones((48, 48)))
    assert np.array_equal(legend[0, -1], full[72, 72])
