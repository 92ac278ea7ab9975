"""Addresses: a picture, a video or a stream behind http, https or rtsp."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from mien.errors import SourceError
from mien.vision.sources._specs import is_address, suffix_of
from mien.vision.sources.base import SOURCES, Kind, Limits, Opener, Source, Stop
from mien.vision.sources.live import open_stream
from mien.vision.sources.photo import PHOTO_SUFFIXES, PhotoSource, decode_photo

_SCHEMES: Final = ("http", "https", "rtsp", "rtsps")


@SOURCES.register("http")
class AddressOpener(Opener):
    """Opens pictures, videos and streams at http, https and rtsp addresses."""

    is_fallback = True  # accepts every scheme, to say which ones are supported

    def opens(self, spec: object) -> bool:
        """Return whether a spec is an address of any scheme."""
        return is_address(spec)

    def kind(self, spec: object) -> Kind:
        """Return ``photos`` for an address with the suffix of a photo, ``live`` for others."""
        return "photos" if suffix_of(spec) in PHOTO_SUFFIXES else "live"

    def name(self, spec: object) -> str:
        """Return the address without its login."""
        return without_password(str(spec))

    def open(self, spec: Any, *, limits: Limits, stop: Stop) -> Source:
        """Open an address; a picture is downloaded now.

        Raises:
            SourceError: if the address is wrong, does not answer, or its content cannot be read.
        """
        name = self.name(spec)
        try:
            parts = urlsplit(spec)
        except ValueError as error:
            raise SourceError(f"{name}: not a valid address ({error})") from None
        if parts.scheme not in _SCHEMES:
            raise SourceError(
                f"{name}: {parts.scheme}:// is not supported, expected http://, https:// or "
                "rtsp://; for a file write its path"
            )
        content = None
        if parts.scheme in ("http", "https"):
            # Imported now: HTTP and SSL take 20 ms, which photos and cameras do not need.
            from mien.vision.sources._download import download_picture

            content = download_picture(parts, name, limits)
        if content is None:
            return open_stream(spec, name, limits=limits, stop=stop)
        picture = content
        return PhotoSource(name, lambda wrong: decode_photo(picture, name, limits, wrong))


def without_password(address: str) -> str:
    """Return an address as it may be shown and written: without a login."""
    scheme, _, rest = address.partition("://")
    login, _, place = rest.rpartition("@")
    # A password may contain /, # and ? unescaped. Without a password, an @ may belong to a path.
    if ":" not in login and set(login) & set("/?#"):
        place = rest
    return f"{scheme}://{place}"
