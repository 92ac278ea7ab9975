"""Cameras and streams: the newest frame each time.

A reading never lags behind the camera, however slow the reader is.
"""

from __future__ import annotations

import os
import re
import stat
import string
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import cv2

from mien.errors import SourceError
from mien.images.decode import quiet_opencv
from mien.vision.sources._capture import CaptureFile, interlaced, open_capture
from mien.vision.sources._interlaced import is_affected, may_be_interlaced
from mien.vision.sources._live_source import LiveSource
from mien.vision.sources._specs import as_path, is_number, is_path, name_of
from mien.vision.sources._video_file import plain_path
from mien.vision.sources.base import SOURCES, Kind, Limits, Opener, Source, Stop
from mien.vision.sources.video import VideoSource

__all__ = ["CameraOpener", "LiveSource", "open_stream"]

_LAST_CAMERA: Final = 99  # OpenCV uses hundreds for its backends
_DEVICE: Final = re.compile(r"/dev/video\d+")
_VIDEO4LINUX: Final = 81  # major number of its devices


@SOURCES.register("live")
class CameraOpener(Opener):
    """Opens the cameras of this machine, by their number, or on Linux by the path of a device."""

    def opens(self, spec: object) -> bool:
        """Return whether a spec is a number, as an integer or as text, or a camera's device."""
        return is_number(spec) or _is_device(spec)

    def kind(self, spec: object) -> Kind:
        """Return ``live``."""
        return "live"

    def name(self, spec: object) -> str:
        """Return the number or the path."""
        return name_of(spec)

    def open(self, spec: Any, *, limits: Limits, stop: Stop) -> Source:
        """Open a camera.

        Raises:
            SourceError: if there is no such camera, or another program uses it.
        """
        name = self.name(spec)

        def connect() -> CaptureFile:
            return _open_camera(spec, name, limits)

        lost = f"camera {name}: no more pictures (was it unplugged, or taken by another program?)"
        return LiveSource(name, connect(), connect, lost=lost, stop=stop, limits=limits)


def _is_device(spec: object) -> bool:
    """Return whether a spec is the path of a camera's device on Linux."""
    if not is_path(spec):
        return False
    try:
        path = as_path(spec)
        status = path.stat()
    except (SourceError, OSError, ValueError):
        return _DEVICE.fullmatch(name_of(spec)) is not None
    is_device = stat.S_ISCHR(status.st_mode) and sys.platform == "linux"
    return is_device and os.major(status.st_rdev) == _VIDEO4LINUX


def _open_camera(spec: Any, name: str, limits: Limits) -> CaptureFile:
    if is_number(spec):
        number = int(spec)
        if not 0 <= number <= _LAST_CAMERA:
            raise SourceError(f"camera {name}: no such camera, expected 0 to {_LAST_CAMERA}")
        with quiet_opencv:
            capture = cv2.VideoCapture(number)
        hint = f"cameras are numbered from 0; for a file or a folder of that name write ./{name}"
    else:
        with plain_path(Path(os.path.realpath(as_path(spec)))) as device, quiet_opencv:
            capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        hint = "expected a device that gives pictures, such as /dev/video0"
    if not capture.isOpened():
        raise SourceError(
            f"camera {name}: cannot be opened (is it connected, free and permitted?); {hint}"
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # if the driver supports it: its queue is a delay
    return CaptureFile(capture, f"camera {name}", limits)


def open_stream(address: str, name: str, *, limits: Limits, stop: Stop) -> Source:
    """Open a video or a stream at an address; a stream has no known end, and is live.

    Args:
        address: address that FFmpeg can read.
        name: address without its password, as it is shown.
        limits: limits on its frames, its idle time and its interruptions.
        stop: condition that ends the iteration.

    Raises:
        SourceError: if no readable video comes in time, its frames are too large, or OpenCV would
            not return its frames.
    """
    address = _encoded(address, name)
    timeout_ms = round(1000 * limits.timeout_s)
    options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms]
    options += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]

    def connect() -> CaptureFile:
        capture = open_capture(address, options)
        if not capture.isOpened():
            raise SourceError(
                f"{name}: no video came within {limits.timeout_s:g} s, expected a stream or a "
                "video; check the address, its password, the network, and that the camera is on"
            )
        return CaptureFile(capture, name, limits)

    def is_interlaced() -> bool:
        capture = open_capture(address, options)
        found = may_be_interlaced(
            lambda place, more: open_capture(place, [*options, *more]), address, capture
        )
        capture.release()
        return found

    video = connect()
    if video.total:
        if is_affected() and is_interlaced():
            video.close()
            raise interlaced(name)
        return VideoSource(name, video, connect, stop=stop)
    lost = f"{name}: the stream broke off, and {limits.retries} attempts to reopen it failed"
    return LiveSource(
        name,
        video,
        connect,
        lost=lost,
        stop=stop,
        limits=limits,
        is_stream=True,
        is_interlaced=is_interlaced if is_affected() else None,
    )


def _encoded(address: str, name: str) -> str:
    """Return an address in ASCII; OpenCV crashes with one that is not UTF-8.

    Raises:
        SourceError: if the name of the host is not text.
    """
    scheme, separator, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    try:
        host.encode()
    except UnicodeEncodeError:
        raise SourceError(f"{name}: not a valid address (the host's name is not text)") from None
    return scheme + separator + host + slash + quote(os.fsencode(path), safe=string.printable)
