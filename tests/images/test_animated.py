from __future__ import annotations

import io

import PIL.Image
import pytest

from mien.images.animated import is_animated


def saved(kind: str, frames: int, **options) -> bytes:
    first, *rest = [
        PIL.Image.new("RGB", (64, 48), (shade,) * 3) for shade in (40, 120, 200)[:frames]
    ]
    content = io.BytesIO()
    more = {"save_all": True, "append_images": rest} if rest else {}
    first.save(content, kind, **more, **options)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_an_animation_is_told_from_a_still_picture(kind):
    assert is_animated(saved(kind, 3))
    assert not is_animated(saved(kind, 1))


def test_a_gif_with_a_comment_and_a_loop_is_animated_only_if_it_has_two_images():
    assert is_animated(saved("GIF", 2, comment=b"x" * 600, loop=0))
    assert not is_animated(saved("GIF", 1, comment=b"x" * 600, transparency=0))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_a_file_that_is_cut_off_raises_nothing(kind):
    content = saved(kind, 2)
    for length in range(0, len(content), 7):
        is_animated(content[:length])


def test_other_files_are_not_animated():
    assert not is_animated(b"")
    assert not is_animated(b"I am text")
    assert not is_animated(saved("JPEG", 1))
