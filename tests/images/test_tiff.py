from __future__ import annotations

import io
import struct

import numpy as np
import PIL.Image
import pytest

from mien.images import tiff


def pages(count: int, **options) -> bytes:
    first, *rest = [PIL.Image.new("L", (7, 5), shade) for shade in range(count)]
    content = io.BytesIO()
    first.save(content, "TIFF", save_all=True, append_images=rest, **options)
    return content.getvalue()


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("options", [{}, {"big_tiff": True}])
def test_pages_are_counted(count, options):
    assert tiff.count_pages(pages(count, **options)) == count


def test_a_smaller_version_is_no_page():
    info = PIL.TiffImagePlugin.ImageFileDirectory_v2()
    info[254] = 1
    content = io.BytesIO()
    small = PIL.Image.new("L", (3, 2))
    small.encoderinfo = {"tiffinfo": info}
    PIL.Image.new("L", (7, 5)).save(content, "TIFF", save_all=True, append_images=[small])
    assert tiff.count_pages(content.getvalue()) == 1
    assert tiff.problem(content.getvalue()) == ""


def test_directories_in_a_circle_end():
    content = b"II*\0" + struct.pack("<IHI", 8, 0, 8)
    assert tiff.count_pages(content) == 1


@pytest.mark.parametrize("content", [b"II*\0", b"MM\0*\xff\xff\xff\xff", b"II+\0" + bytes(12)])
def test_a_damaged_file_has_no_problem_of_its_own(content):
    assert tiff.problem(content) == ""
    assert tiff.with_plain_colours(content) == content


@pytest.mark.parametrize("big_tiff", [False, True])
def test_only_the_alpha_tag_is_changed(big_tiff):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    content = io.BytesIO()
    PIL.Image.fromarray(pixels).save(content, "TIFF", big_tiff=big_tiff)
    changed = tiff.with_plain_colours(content.getvalue())
    assert sum(a != b for a, b in zip(changed, content.getvalue(), strict=True)) == 1
    assert tiff.tags(changed)[338].value == 1
