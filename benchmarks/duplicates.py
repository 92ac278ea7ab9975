"""Measure the quality and cost of the search for near duplicates, against simpler methods.

    python benchmarks/duplicates.py quality --data path/to/fer2013
    python benchmarks/duplicates.py cost --data path/to/fer2013

quality: PublicTest images with a duplicate in Training, against a reference search that tries 54
shifts, scales and mirrorings of every image at a lower threshold and aligns without shortcuts.
cost: the whole search within 8 to 500 thousand images, each size in a process of its own; copies
of the data set, each rotated by another multiple of 20°, fill up the larger sizes. Wall time counts
only if nothing else runs at the same time; CPU time is nearly independent of that.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.data import FaceDataset, load_dataset
from mien.data.duplicates import alignment, embedding
from mien.data.duplicates.groups import find_overlap
from mien.data.duplicates.search import find_near_duplicates
from mien.io.mapped import RowsFile
from mien.types import Images, Mask
from record import add_rows, spread

SIZES = (8_000, 32_000, 125_000, 500_000)
REPEATS = 3  # of sizes up to 32,000
REFERENCE_COSINE = 0.70
REFERENCE_SCALES = (0.9, 0.925, 0.95, 0.975, 1.0, 1.025, 1.05, 1.075, 1.1)


def reference(images: Images, others: Images) -> Mask:
    """Return the images with a near duplicate among others, by a search without shortcuts."""
    found = np.zeros(len(images), bool)
    moves = embedding._moves()
    unchanged = moves[0] @ embedding._principal_directions(others, moves)[1]
    pool = embed(others, unchanged).T
    pictures = [alignment.filter_image(image) for image in others]
    for start in range(0, len(images), 256):
        block = images[start : start + 256]
        for mirrored in (False, True):
            turned = np.ascontiguousarray(block[:, :, ::-1]) if mirrored else block
            highest = np.full((len(block), len(others)), -1, np.float32)
            for scale, down, right in product((0.92, 1.0, 1.08), (-3, 0, 3), (-3, 0, 3)):
                moved = np.stack([move(image, scale, down, right) for image in turned])
                np.maximum(highest, embed(moved, unchanged) @ pool, out=highest)
            for row, column in np.argwhere(highest > REFERENCE_COSINE):
                if not found[start + row]:
                    found[start + row] = matches(turned[row], pictures[column])
        print(f"reference: {start + len(block):,} of {len(images):,}", file=sys.stderr)
    return found


def embed(images: Images, directions: alignment.Float32s) -> alignment.Float32s:
    """Return unit vectors along principal directions, which are not weighted as mien's are."""
    blocks = range(0, len(images), 1024)
    thumbnails = (embedding._thumbnails(images[start : start + 1024]) for start in blocks)
    return embedding._normalize(np.concatenate([small @ directions for small in thumbnails]))


def move(image: Images, scale: float, down: float, right: float) -> Images:
    turn = cv2.getRotationMatrix2D((23.5, 23.5), 0, scale)
    turn[:, 2] += (right, down)
    return cv2.warpAffine(image, turn, (48, 48), borderMode=cv2.BORDER_REPLICATE)


def matches(image: Images, picture: npt.NDArray[np.float32]) -> bool:
    template = alignment.filter_image(image)
    best = max(alignment.overlay(template, picture, scale) for scale in REFERENCE_SCALES)
    return best.correlation >= alignment.MIN_CORRELATION and (
        max(map(abs, best.shift)) <= alignment.MAX_SHIFT_PX
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


def measure_cost(data: list[str]) -> list[dict[str, Any]]:
    rows = []
    for size in SIZES:
        runs = []
        for _ in range(REPEATS if size <= 32_000 else 1):
            child = subprocess.run(
                [sys.executable, __file__, "one", str(size), "--data", *data],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            runs.append(json.loads(child.stdout.splitlines()[-1]))
        rows.append(
            {
                "images": size,
                "pairs": runs[0]["pairs"],
                **spread("seconds", [run["seconds"] for run in runs]),
                "cpu_seconds": round(min(run["cpu_seconds"] for run in runs), 1),
                "peak_megabytes": round(max(run["megabytes"] for run in runs)),
            }
        )
        print(rows[-1], flush=True)
    return rows


def measure_one(dataset: FaceDataset, size: int) -> dict[str, Any]:
    """Search within a number of images, which are in a file if they take more than 256 MB."""
    with tempfile.TemporaryDirectory() as folder:
        rows = RowsFile((48, 48), Path(folder))
        for start in range(0, size, 1000):
            rows.add(np.stack([copy(dataset.images, at) for at in range(start, start + 1000)]))
        images = rows.finish()
        Path("/proc/self/clear_refs").write_text("5")  # peak memory counts from here
        began, used = time.perf_counter(), time.process_time()
        pairs = find_near_duplicates(images)
        return {
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - used,
            "megabytes": peak_megabytes(),
            "pairs": len(pairs),
        }


def copy(images: Images, position: int) -> Images:
    """Return an image of a data set, or, at further positions, a copy that is rotated."""
    times, row = divmod(position, len(images))
    turn = cv2.getRotationMatrix2D((23.5, 23.5), 20 * times, 1.0)
    return cv2.warpAffine(images[row], turn, (48, 48), borderMode=cv2.BORDER_REPLICATE)


def peak_megabytes() -> float:
    """Return the process's peak memory, as Linux counts it (getrusage counts the parent's too)."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, nargs="+")
    parser.add_argument("what", choices=["quality", "cost", "one"])
    parser.add_argument("size", type=int, nargs="?", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.what == "cost":
        add_rows("duplicates-cost", measure_cost(arguments.data))
        return
    dataset = load_dataset(*arguments.data)
    if arguments.what == "one":
        print(json.dumps(measure_one(dataset, arguments.size)))
        return
    rows = measure_quality(dataset)
    for row in rows:
        print(row)
    add_rows("duplicates-quality", rows)


if __name__ == "__main__":
    main()
