"""Count readings in pictures without a face: scikit-image's pictures, noise, textures.

    python benchmarks/negatives.py [--detector-model path/to/face_detection_yunet_2023mar.onnx]
                                   [--model mien-s]

Whole pictures and four magnifications of each go through the detectors. Patches of scikit-image's
pictures, taken for face crops, go through the network alone, and so do blurred drawn faces. There
are no patches of noise and textures, because `mien.data.synthetic.non_faces` draws similar images
for training. Prints how many faces are found and how many readings are not `uncertain`; adds rows
to ``benchmarks/results/negatives.csv``.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import skimage

from mien.data.synthetic.faces import synthetic_faces
from mien.images.crop import to_crop
from mien.types import Image
from mien.vision import Reader
from record import add_rows

DATA = Path(skimage.__file__).parent / "data"
WITH_PEOPLE = {"astronaut.png", "camera.png"}
SCALES = (0.5, 1.0, 2.0, 3.0)
PATCHES = 1000


def pictures() -> dict[str, Image]:
    found = {
        path.name: cv2.imread(str(path))
        for path in sorted(DATA.glob("*"))
        if path.suffix in (".png", ".jpg", ".jpeg", ".gif") and path.name not in WITH_PEOPLE
    }
    return {name: image for name, image in found.items() if image is not None}


def textures() -> dict[str, Image]:
    found = {}
    generator = np.random.default_rng(0)
    for size in (4, 16, 64):
        coarse = generator.integers(0, 256, (480 // size, 640 // size, 3), np.uint8)
        found[f"noise of {size} px"] = cv2.resize(coarse, (640, 480))
    y, x = np.mgrid[:480, :640]
    found["stripes"] = (127 + 120 * np.sin(x / 9 + y / 23)).astype(np.uint8)
    found["rings"] = (127 + 120 * np.sin(np.hypot(x - 320, y - 240) / 7)).astype(np.uint8)
    return found


def patches(images: dict[str, Image]) -> Iterator[Image]:
    """Yield squares of pictures, at random positions and of random sizes, as face crops."""
    generator = np.random.default_rng(1)
    every = [image for image in images.values() if min(image.shape[:2]) > 64]
    for _ in range(PATCHES):
        image = every[generator.integers(len(every))]
        side = int(generator.integers(48, min(image.shape[:2])))
        top, left = (int(generator.integers(0, edge - side + 1)) for edge in image.shape[:2])
        yield to_crop(image[top : top + side, left : left + side])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detector-model")
    parser.add_argument("--model")
    options = parser.parse_args()
    images = {**pictures(), **textures()}
    rows = []
    readers = {"haar": Reader(options.model, detector="haar")}
    if options.detector_model:
        readers["yunet"] = Reader(options.model, detector_model=options.detector_model)
    for name, reader in readers.items():
        readings = [
            reading
            for image in images.values()
            for scale in SCALES
            for reading in reader.read(cv2.resize(image, None, fx=scale, fy=scale))
        ]
        sure = sum(not reading.uncertain for reading in readings)
        rows.append(
            {
                "what": "pictures",
                "detector": name,
                "images": len(images) * len(SCALES),
                "faces": len(readings),
                "sure": sure,
            }
        )
    crops = Reader(options.model, detector="none")
    blurred = [cv2.GaussianBlur(face, None, 6) for face in synthetic_faces(200, seed=1).images]
    # From Labeled Faces in the Wild, as in scikit-image: 100 faces, then 100 non-faces.
    wild = [to_crop(np.uint8(255 * image)) for image in np.load(DATA / "lfw_subset.npy")]
    sets = {
        "patches of scikit-image's pictures": list(patches(pictures())),
        "patches of photographs (scikit-image's lfw_subset)": wild[100:],
        "for comparison, faces (of the same)": wild[:100],
        "blurred drawn faces": blurred,
    }
    for name, made in sets.items():
        readings = crops.read(made)
        sure = sum(not reading.uncertain for reading in readings)
        rows.append(
            {
                "what": name,
                "detector": "none",
                "images": len(made),
                "faces": len(readings),
                "sure": sure,
            }
        )
    for row in rows:
        print(row)
    add_rows("negatives", [{"model": crops.bundle.metadata.name, **row} for row in rows])


if __name__ == "__main__":
    main()
