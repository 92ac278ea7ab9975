"""Measure which faces are found, by their share of the picture and by its resolution, and how fast.

    python benchmarks/detection.py [--detector-model path/to/face_detection_yunet_2023mar.onnx]

The face of scikit-image's astronaut is scaled to a share of the picture's height and pasted at
random places onto textures without people; a share of 1 fills the picture. ``one scale`` is one
search of the whole picture, as before mien searched at several scales. ``photo`` is searched as a
photo, ``video`` as a frame of a video. Adds rows to ``benchmarks/results/detection.csv``: the share
of the pictures in which the face was found, other boxes in a picture, milliseconds, and the load of
the machine, which a comparison of milliseconds needs.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import skimage

from mien.types import Image
from mien.vision.detectors import haar, yunet
from mien.vision.detectors._geometry import shrink
from mien.vision.detectors.base import LONGEST_SIDE_PX, Face, choose_detector, video_side_px
from record import add_rows, spread

DATA = Path(skimage.__file__).parent / "data"
TEXTURES = ("brick.png", "grass.png", "gravel.png", "coffee.png")
# Head and shoulders of the astronaut, and her face in it, as shares of its height and width.
HEAD = cv2.imread(str(DATA / "astronaut.png"))[39:201, 163:284]
FACE = (20 / 121, 22 / 162, 103 / 121, 120 / 162)
SIDES_PX = (640, 1280, 2000, 4000, 8000, 12_000)
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # 0: nobody is there
SMALLEST_PX = 20
FOUND = 0.3  # intersection over union with the face's place
LARGE_PX = 4000  # fewer pictures from here on
VIDEO_PX = 2000  # larger frames are not measured as videos

Find = Callable[[Image, int], list[Face]]


def pictures(side_px: int, share: float, count: int) -> Iterator[tuple[Image, np.ndarray]]:
    """Yield pictures of 4:3, and the box of the face in each, which is empty if nobody is there."""
    generator = np.random.default_rng(round(1000 * share) + side_px)
    width, height = side_px, side_px * 3 // 4
    for number in range(count):
        texture = cv2.imread(str(DATA / TEXTURES[number % len(TEXTURES)]))
        picture = cv2.resize(texture, (width, height), interpolation=cv2.INTER_CUBIC)
        box = np.zeros(4)
        if share:
            head_height = round(share * height / (FACE[3] - FACE[1]))
            head = cv2.resize(HEAD, (round(head_height * 121 / 162), head_height))
            face = np.array(FACE) * (head.shape[1], head.shape[0], head.shape[1], head.shape[0])
            # The whole face is inside; head and shoulders may reach beyond the edges.
            left = generator.integers(0, max(1, width - int(face[2] - face[0]))) - int(face[0])
            top = generator.integers(0, max(1, height - int(face[3] - face[1]))) - int(face[1])
            first, last = max(0, top), min(height, top + head.shape[0])
            begin, end = max(0, left), min(width, left + head.shape[1])
            picture[first:last, begin:end] = head[
                first - top : last - top, begin - left : end - left
            ]
            box = face + np.array([left, top, left, top])
        yield picture, box


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over union of two boxes."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    areas = sum(float(np.prod(box[2:] - box[:2])) for box in (one, other))
    return shared / (areas - shared)


def finders(model: str | None) -> dict[str, Find]:
    """Return the searches to compare, by name."""
    cascade = choose_detector("haar").build()
    assert isinstance(cascade, haar.HaarDetector)

    def haar_at_one_scale(image: Image, side_px: int) -> list[Face]:
        shrunk, scale = shrink(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), side_px)
        return cascade._search(shrunk, scale, image, min_share=haar._MIN_FACE)

    found: dict[str, Find] = {
        "haar": lambda image, side: cascade.detect(image, longest_side_px=side),
        "haar, one scale": haar_at_one_scale,
    }
    if model:
        network = choose_detector("yunet", model).build()
        assert isinstance(network, yunet.YuNetDetector)

        def yunet_at_one_scale(image: Image, side_px: int) -> list[Face]:
            shrunk, scale = shrink(image, side_px)
            return list(yunet._search(network._whole, shrunk, scale, image))

        found["yunet"] = lambda image, side: network.detect(image, longest_side_px=side)
        found["yunet, one scale"] = yunet_at_one_scale
    return found


def measure(
    compared: dict[str, Find], side_px: int, share: float, count: int
) -> Iterator[dict[str, object]]:
    """Yield a row for each search and kind; all of them search the same pictures."""
    made = list(pictures(side_px, share, count))
    for kind in ("photo", "video") if side_px <= VIDEO_PX else ("photo",):
        side = LONGEST_SIDE_PX if kind == "photo" else video_side_px(made[0][0])
        for name, find in compared.items():
            find(made[0][0], side)  # OpenCV prepares YuNet for the size of its input
            hits, others, times = 0, 0, []
            for picture, box in made:
                begun = time.perf_counter()
                faces = find(picture, side)
                times.append(1e3 * (time.perf_counter() - begun))
                hit = bool(share) and any(
                    overlap(np.array(face.box), box) >= FOUND for face in faces
                )
                hits += hit
                others += len(faces) - hit
            yield {
                "detector": name,
                "kind": kind,
                "side_px": side_px,
                "share": share,
                "found": round(hits / count, 3) if share else "",
                "other_boxes": round(others / count, 3),
                **spread("ms", times),
                "load": round(os.getloadavg()[0], 1),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detector-model")
    parser.add_argument("--pictures", type=int, default=6)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES_PX)
    options = parser.parse_args()
    rows = []
    compared = finders(options.detector_model)
    for side_px in options.sides:
        count = options.pictures if side_px < LARGE_PX else max(1, options.pictures // 3)
        for share in SHARES:
            if share and share * side_px * 3 / 4 < SMALLEST_PX:
                continue
            for row in measure(compared, side_px, share, count):
                rows.append(row)
                print(row, flush=True)
    add_rows("detection", rows)


if __name__ == "__main__":
    main()
