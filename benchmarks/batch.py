"""Measure `mien batch`: the bare loop, processes on this machine, and Ray actors.

    python benchmarks/batch.py [--detector-model path/to/face_detection_yunet_2023mar.onnx]

Everything is made here: 20,000 face crops, and 2,000 photos of 1024x1024 pixels with one face each.
Each measurement is a process of its own. ``per_second`` counts from the first finished part to the
last one, so without the start of the workers; ``seconds`` is the whole job. The bare loop reads the
same files by ``Reader.stream`` in one process with all cores. Adds rows to
``benchmarks/results/batch.csv``; ``--tiny`` checks that all of it runs, and adds no rows.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage

from mien.batch import BatchListener, BatchSettings, run_batch
from mien.data.synthetic.faces import synthetic_faces
from mien.vision import Reader
from record import add_rows, spread

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
SIDE_PX = 1024


def write_crops(folder: Path, count: int) -> None:
    folder.mkdir()
    drawn = synthetic_faces(1000, seed=0).images
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:05}.png"), drawn[index % len(drawn)])


def write_photos(folder: Path, count: int) -> None:
    folder.mkdir()
    photo = cv2.resize(cv2.imread(str(ASTRONAUT)), (SIDE_PX, SIDE_PX))
    generator = np.random.default_rng(0)
    for index in range(count):
        moved = np.roll(photo, tuple(generator.integers(-60, 60, 2)), (0, 1))
        cv2.imwrite(str(folder / f"{index:05}.jpg"), moved)


class Stopwatch(BatchListener):
    """Notes when each part ended, and how many pictures it had."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, int]] = []

    def part_ended(self, part: Any, counts: Any) -> None:
        self.ends.append((time.perf_counter(), counts.pictures))


def measure_loop(folder: str, detector: str, model: str | None) -> dict[str, float]:
    reader = Reader(detector=detector, detector_model=model)
    started = first = time.perf_counter()
    count = warm = 0
    for _ in reader.stream(folder):
        count += 1
        if count == 100:
            first, warm = time.perf_counter(), count
    ended = time.perf_counter()
    return {"per_second": (count - warm) / (ended - first), "seconds": ended - started}


def measure_batch(
    folder: str, detector: str, model: str | None, engine: Any, workers: int
) -> dict[str, float]:
    watch = Stopwatch()
    settings = BatchSettings(detector=detector, detector_model=model)
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        run_batch([folder], f"{out}/out", settings, engine=engine, workers=workers, listener=watch)
        seconds = time.perf_counter() - started
    # From the moment at which each worker had finished a part.
    (first, _), (last, _) = watch.ends[workers - 1], watch.ends[-1]
    pictures = sum(count for _, count in watch.ends[workers:])
    return {"per_second": pictures / (last - first), "seconds": seconds}


def in_a_process(arguments: list[str]) -> dict[str, float]:
    result = subprocess.run(
        [sys.executable, __file__, "--only", *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detector-model", default="")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--what", choices=["crops", "photos", "both"], default="both")
    parser.add_argument("--only", nargs=5)
    options = parser.parse_args()
    if options.only:
        folder, detector, model, engine, workers = options.only
        given = (folder, detector, model or None)
        if engine == "loop":
            print(json.dumps(measure_loop(*given)))
        else:
            print(json.dumps(measure_batch(*given, engine, int(workers))))
        return
    crops, photos, repeats = (600, 320, 1) if options.tiny else (20_000, 2_000, options.repeats)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        made = {"crops": (write_crops, crops), "photos": (write_photos, photos)}
        for what, (write, count) in made.items():
            if options.what not in (what, "both"):
                continue
            write(Path(name, what), count)
            detector = "none" if what == "crops" else "yunet" if options.detector_model else "haar"
            model = options.detector_model if detector == "yunet" else ""
            plan = [("loop", 0), *((e, n) for e in ("local", "ray") for n in (1, 2, 4))]
            for engine, workers in plan:
                runs = [
                    in_a_process([f"{name}/{what}", detector, model, engine, str(workers)])
                    for _ in range(repeats)
                ]
                for figure in runs[0]:
                    row = {"what": what, "count": count, "detector": detector, "engine": engine}
                    row |= {"workers": workers or "", "figure": figure}
                    rows.append({**row, **spread("value", [run[figure] for run in runs])})
                    print(rows[-1], flush=True)
    if not options.tiny:
        add_rows("batch", rows)


if __name__ == "__main__":
    main()
