"""Measure the quality and cost of the search for near duplicates, against simpler methods.

    python benchmarks/duplicates.py --data path/to/fer2013 quality
    python benchmarks/duplicates.py --data path/to/fer2013 cost

quality: PublicTest images with a duplicate in Training, against a reference search that tries 54
shifts, scales and mirrorings of every image at a lower threshold and aligns without shortcuts.
cost: the whole search within 8 to 64 thousand images, each size in a process of its own; rotated
copies fill up the larger sizes. Nothing else may run at the same time.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from itertools import product
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.data import FaceDataset, load_dataset
from mien.data.duplicates import search
from mien.data.duplicates.groups import find_overlap
from mien.types import Images, Mask
from record import add_rows, spread

SIZES = (8_000, 16_000, 32_000, 64_000)
REPEATS = 3
REFERENCE_COSINE = 0.70
REFERENCE_SCALES = (0.9, 0.925, 0.95, 0.975, 1.0, 1.025, 1.05, 1.075, 1.1)


def reference(images: Images, others: Images) -> Mask:
    """Return the images with a near duplicate among others, by a search without shortcuts."""
    found = np.zeros(len(images), bool)
    embedding = search._Embedding(others)
    pictures = [search._picture(image) for image in others]
    for start in range(0, len(images), 256):
        block = images[start : start + 256]
        for mirrored in (False, True):
            turned = np.ascontiguousarray(block[:, :, ::-1]) if mirrored else block
            highest = np.full((len(block), len(others)), -1, np.float32)
            for scale, down, right in product((0.92, 1.0, 1.08), (-3, 0, 3), (-3, 0, 3)):
                moved = np.stack([move(image, scale, down, right) for image in turned])
                vectors = embedding._project(search._thumbnails(moved))
                np.maximum(highest, vectors @ embedding.vectors.T, out=highest)
            for row, column in np.argwhere(highest > REFERENCE_COSINE):
                if not found[start + row]:
                    found[start + row] = matches(turned[row], pictures[column])
        print(f"reference: {start + len(block):,} of {len(images):,}", file=sys.stderr)
    return found


def move(image: Images, scale: float, down: float, right: float) -> Images:
    turn = cv2.getRotationMatrix2D((23.5, 23.5), 0, scale)
    turn[:, 2] += (right, down)
    return cv2.warpAffine(image, turn, (48, 48), borderMode=cv2.BORDER_REPLICATE)


def matches(image: Images, picture: npt.NDArray[np.float32]) -> bool:
    template = search._picture(image)
    fits = (search._overlay(template, picture, scale) for scale in REFERENCE_SCALES)
    best = max(fits)
    return best.correlation >= search.MIN_CORRELATION and (
        max(map(abs, best.shift)) <= search.MAX_SHIFT_PX
    )


def by_correlation(images: Images, others: Images, least: float) -> Mask:
    """Return the images whose pixels correlate with those of another image."""

    def normalize(some: Images) -> npt.NDArray[np.float32]:
        flat = some.reshape(len(some), -1).astype(np.float32)
        flat -= flat.mean(1, keepdims=True)
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)

    pool = normalize(others).T
    rows = normalize(images)
    return np.concatenate(
        [(rows[i : i + 256] @ pool).max(1) >= least for i in range(0, len(rows), 256)]
    )


def by_hash(images: Images, others: Images, distance: int) -> Mask:
    """Return the images with a similar perceptual hash: signs of the 64 lowest cosine terms."""

    def hashes(some: Images) -> npt.NDArray[np.float32]:
        bits = []
        for image in some:
            small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
            low = cv2.dct(small)[:8, :8].ravel()
            bits.append(np.where(low > np.median(low[1:]), 1.0, -1.0))
        return np.array(bits, np.float32)

    pool = hashes(others).T
    least = 64 - 2 * distance  # product of two hashes = 64 - 2 * distance
    return (hashes(images) @ pool).max(1) >= least


def measure_quality(dataset: FaceDataset) -> list[dict[str, Any]]:
    images, others = dataset.val.images, dataset.train.images
    overlap = find_overlap(images, others)
    wanted = reference(images, others) | overlap.exact
    methods = {
        "mien": overlap.any,
        "plain correlation 0.98": by_correlation(images, others, 0.98),
        "plain correlation 0.95": by_correlation(images, others, 0.95),
        "64-bit perceptual hash, distance 4": by_hash(images, others, 4),
        "64-bit perceptual hash, distance 8": by_hash(images, others, 8),
    }
    rows = []
    for name, found in methods.items():
        near = wanted & ~overlap.exact
        rows.append(
            {
                "way": name,
                "images": len(images),
                "reference": int(wanted.sum()),
                "found": int(found.sum()),
                "precision": round(float(wanted[found].mean()), 4),
                "recall": round(float(found[wanted].mean()), 4),
                "recall_of_near": round(float(found[near].mean()), 4),
            }
        )
    return rows


def measure_cost(data: str) -> list[dict[str, Any]]:
    rows = []
    for size in SIZES:
        seconds, megabytes, pairs = [], [], 0
        for _ in range(REPEATS if size <= 32_000 else 1):
            child = subprocess.run(
                [sys.executable, __file__, "--data", data, "one", str(size)],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            one = json.loads(child.stdout.splitlines()[-1])
            seconds.append(one["seconds"])
            megabytes.append(one["megabytes"])
            pairs = one["pairs"]
        rows.append(
            {
                "images": size,
                "pairs": pairs,
                **spread("seconds", seconds),
                "peak_megabytes": round(max(megabytes)),
            }
        )
        print(rows[-1], flush=True)
    return rows


def measure_one(dataset: FaceDataset, size: int) -> dict[str, Any]:
    """Search within a number of images: those of the data set, then copies rotated by 20°."""
    images = dataset.images[:size]
    turn = cv2.getRotationMatrix2D((23.5, 23.5), 20, 1.0)
    copies = [
        cv2.warpAffine(image, turn, (48, 48), borderMode=cv2.BORDER_REPLICATE)
        for image in dataset.images[: size - len(images)]
    ]
    images = np.concatenate([images, np.stack(copies)]) if copies else images
    began = time.perf_counter()
    pairs = search.find_near_duplicates(images)
    return {
        "seconds": time.perf_counter() - began,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "pairs": len(pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("what", choices=["quality", "cost", "one"])
    parser.add_argument("size", type=int, nargs="?", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.what == "cost":
        add_rows("duplicates-cost", measure_cost(arguments.data))
        return
    dataset = load_dataset(arguments.data)
    if arguments.what == "one":
        print(json.dumps(measure_one(dataset, arguments.size)))
        return
    rows = measure_quality(dataset)
    for row in rows:
        print(row)
    add_rows("duplicates-quality", rows)


if __name__ == "__main__":
    main()
