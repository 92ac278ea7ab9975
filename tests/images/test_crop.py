from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from mien.errors import DataError
from mien.images.crop import (
    CropSpec,
    centre_crop,
    encode_png,
    is_blank,
    to_crop,
    to_gray,
    to_image,
)
from mien.images.decode import decode_image


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


@pytest.mark.parametrize("crop", [CropSpec(), CropSpec(64, 3), CropSpec(112, 3), CropSpec(24)])
@pytest.mark.parametrize("shape", [(48, 48), (64, 64, 3), (100, 80, 3), (30, 300)])
def test_a_crop_has_the_size_and_channels_that_are_asked_for(crop, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = to_crop(image, crop)
    assert (made.shape, made.dtype) == (crop.shape, np.uint8)
    np.testing.assert_array_equal(to_crop(to_image(made), crop), made)
    decoded = decode_image(encode_png(made), "x")
    np.testing.assert_array_equal(to_crop(decoded, crop), made)


def test_colour_crops_are_red_green_blue():
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 10, 20, 30  # blue, green, red
    crop = to_crop(image, CropSpec(64, 3))
    assert crop[0, 0].tolist() == [30, 20, 10]
    np.testing.assert_array_equal(to_image(crop), image)
    assert np.unique(to_crop(image, CropSpec(64))).tolist() == [22]  # .299 red, .587 green


def test_colour_crops_of_gray_images_repeat_the_level():
    gray = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    crop = to_crop(gray, CropSpec(64, 3))
    for channel in range(3):
        np.testing.assert_array_equal(crop[..., channel], gray)


def test_crops_of_a_data_set_in_gray_at_another_size():
    gray = np.zeros((5, 48, 48), np.uint8)
    assert to_gray(gray, 48) is gray
    colour = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    expected = [to_crop(to_image(one), CropSpec(48)) for one in colour]
    np.testing.assert_array_equal(to_gray(colour, 48), expected)


@pytest.mark.parametrize(
    ("size_px", "channels", "expected"),
    [(23, 1, "size_px = 23: expected 24 to 224"), (225, 3, "expected 24 to 224 pixels"),
     (48, 2, "channels = 2: expected 1 for gray or 3 for colour")],
)  # fmt: skip
def test_what_is_no_crop_is_refused(size_px, channels, expected):
    with pytest.raises(DataError, match=expected):
        CropSpec(size_px, channels)


def test_a_crop_says_what_it_is():
    assert [str(CropSpec()), str(CropSpec(112, 3))] == ["48×48 gray", "112×112 colour"]


def test_one_colour_all_over_is_blank():
    images = np.zeros((2, 48, 48, 3), np.uint8)
    images[:] = (250, 10, 10)
    images[1, ::2, :, 1] = 20
    assert is_blank(images).tolist() == [True, False]


@pytest.mark.parametrize("crop", [CropSpec(), CropSpec(64, 3), CropSpec(112)], ids=str)
@pytest.mark.parametrize("shape", [(200, 150, 3), (30, 40, 3), (200, 20)])
def test_crops_shrink_by_areas_and_grow_linearly_once_their_channels_are_made(crop, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    if crop.channels == 1:
        pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    else:
        pixels = np.stack([image] * 3, axis=2) if image.ndim == 2 else image[..., ::-1].copy()
    way = cv2.INTER_AREA if min(shape[:2]) >= crop.size_px else cv2.INTER_LINEAR
    expected = cv2.resize(pixels, (crop.size_px, crop.size_px), interpolation=way)
    np.testing.assert_array_equal(to_crop(image, crop), expected)
