"""Find out from an image file's structure whether it holds an animation."""

from __future__ import annotations

from typing import Final

_GIF_HEADER_BYTES: Final = 13
_GIF_IMAGE, _GIF_EXTENSION = 0x2C, 0x21
_WEBP_ANIMATED: Final = 2  # bit of the flags


def is_animated(content: bytes) -> bool:
    """Return whether a GIF, PNG, WebP or AVIF file has more than one frame.

    Source: W3C, Graphics Interchange Format, version 89a, 1990; PNG, third edition, 2025; RFC 9649,
    WebP Image Format, 2024.
    """
    try:
        if content.startswith(b"GIF8"):
            return _gif_has_frames(content)
        if content.startswith(b"\x89PNG"):
            control = content.find(b"acTL", 0, content.find(b"IDAT"))
            return control > 0 and int.from_bytes(content[control + 4 : control + 8], "big") > 1
        if content.startswith(b"WEBPVP8X", 8):
            return bool(content[20] & _WEBP_ANIMATED)
        return content.startswith(b"ftyp", 4) and b"avis" in content[8:64]
    except IndexError:  # cut off
        return False


def _gif_has_frames(content: bytes) -> bool:
    flags = content[10]
    at = _GIF_HEADER_BYTES + _palette_bytes(flags)
    images = 0
    while images < 2:
        kind = content[at]
        if kind == _GIF_IMAGE:
            images += 1
            at += 10 + _palette_bytes(content[at + 9]) + 1  # then the size of the codes
        elif kind == _GIF_EXTENSION:
            at += 2
        else:
            return False
        while size := content[at]:
            at += 1 + size
        at += 1
    return True


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
