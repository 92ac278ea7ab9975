from __future__ import annotations

import numpy as np
import pytest
import torch

from mien.images.crop import centre_crop, is_blank, to_crop


def test_gray_is_what_equal_channels_say():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    gray = to_crop(np.repeat(np.stack([levels] * 3, axis=2), 3, axis=0).repeat(3, axis=1))
    np.testing.assert_array_equal(gray, levels.repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
@pytest.mark.parametrize("shape", [(7, 8), (3, 7, 8), (2, 3, 7, 8)])
def test_the_centre_is_cut_out_of_the_last_two_axes(convert, shape):
    images = np.arange(np.prod(shape)).reshape(shape)
    cropped = centre_crop(convert(images), 4)
    assert type(cropped) is type(convert(images))
    np.testing.assert_array_equal(np.asarray(cropped), images[..., 1:5, 2:6])


def test_a_crop_as_large_as_the_image_or_larger_is_the_image():
    images = np.arange(2 * 5 * 5).reshape(2, 5, 5)
    for size_px in (5, 6, 48):
        np.testing.assert_array_equal(centre_crop(images, size_px), images)


def test_a_centre_crop_is_a_view():
    images = np.zeros((2, 6, 6))
    centre_crop(images, 2)[:] = 1
    assert images.sum() == 8
    assert images[:, 2:4, 2:4].all()


def test_blank_images_vary_by_less_than_one_gray_level():
    images = np.full((3, 48, 48), 100, np.uint8)
    images[1, ::2] = 101  # standard deviation 0.5
    images[2, ::2] = 102  # standard deviation 1
    assert is_blank(images).tolist() == [True, True, False]
