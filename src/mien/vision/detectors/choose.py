"""Which detector is used, and what to say about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mien.errors import MienError, nearest
from mien.vision.detectors.detect import Detector, HaarDetector, WholePicture, YuNetDetector
from mien.vision.detectors.yunet_file import (
    BY_HAND,
    cached_path,
    fetch_yunet,
    fetch_yunet_once,
    find_yunet,
)

DETECTORS: Final = ("auto", "yunet", "haar", "none")


@dataclass(frozen=True)
class Choice:
    """A detector that was settled on.

    Args:
        name: ``yunet``, ``haar`` or ``none``.
        build: makes an instance, which belongs to one thread.
        note: how to get a better one; empty where there is none.
    """

    name: str
    build: Callable[[], Detector]
    note: str = ""


def choose_detector(name: str = "auto", model: str | Path | None = None) -> Choice:
    """Settle on a detector.

    Args:
        name: ``yunet``, ``haar``, ``none`` for pictures that are face crops already, or ``auto``
            for YuNet where its file can be had, else Haar.
        model: YuNet's file; None for the one in mien's cache, which is fetched if it is not there.

    Raises:
        MienError: if there is no detector of that name, or YuNet was named and its file is missing,
            wrong, out of reach or, by ``MIEN_OFFLINE``, not to be fetched.
    """
    if name not in DETECTORS:
        raise MienError(
            f"detector {name!r}{nearest(name, DETECTORS)}: expected {', '.join(DETECTORS)}"
        )
    if model is not None and name in ("haar", "none"):
        raise MienError(f"detector {name} takes no detector model; leave one of the two out")
    if name == "none":
        return Choice(name, WholePicture)
    if name == "haar":
        return Choice(name, HaarDetector)
    path = find_yunet(model)
    by_hand = BY_HAND.format(folder=cached_path().parent)
    if path is None:
        if name == "yunet" and os.environ.get("MIEN_OFFLINE"):
            raise MienError(f"YuNet is not there, and MIEN_OFFLINE forbids to fetch it: {by_hand}")
        path = fetch_yunet() if name == "yunet" else fetch_yunet_once()
    if path is None:
        return Choice(
            "haar",
            HaarDetector,
            "Faces were found by OpenCV's Haar cascade, which misses turned and small ones; "
            f"for YuNet: mien fetch, or {by_hand}",
        )
    found = path
    return Choice("yunet", lambda: YuNetDetector(found))
