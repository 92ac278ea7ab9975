"""Measure how fast faces are read, and in how much memory: videos, frames, crops, a cold start.

    python benchmarks/reader.py [--detector-model path/to/face_detection_yunet_2023mar.onnx]

Everything is made here: videos of scikit-image's astronaut and of drawn faces on moving noise, and
10,000 face crops. Each measurement is a process of its own, with nothing else running. ``stages``
times each stage alone. Adds rows to ``benchmarks/results/reader.csv``; ``--tiny`` checks in a
minute that all of it runs, and adds no rows.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage
from packaging.requirements import Requirement

import mien
from mien.data.synthetic.faces import synthetic_faces
from mien.vision import Reader
from mien.vision.alignment import crop_face
from mien.vision.detectors.base import video_side_px
from mien.vision.sources import Frame, Source, open_source
from record import add_rows, spread

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
WIDTH, HEIGHT, FPS = 640, 480, 30
FRAMES = 450
CROPS = 10_000


def write_video(path: Path, faces: int, frames: int) -> None:
    """Write faces that wander over a moving background of soft noise."""
    generator = np.random.default_rng(0)
    noise = cv2.resize(generator.integers(60, 200, (40, 60, 3), np.uint8), (2 * WIDTH, 2 * HEIGHT))
    size = 150 if faces == 1 else 84
    face = cv2.resize(cv2.imread(str(ASTRONAUT))[40:200, 145:305], (size, size))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (WIDTH, HEIGHT))
    columns = 1 if faces == 1 else 5
    for index in range(frames):
        shift = index % HEIGHT
        frame = noise[shift : shift + HEIGHT, shift : shift + WIDTH].copy()
        for number in range(faces):
            x = 20 + (number % columns) * 122 + int(15 * np.sin(index / 9 + number))
            y = 60 + (number // columns) * 180 + int(15 * np.cos(index / 7 + number))
            frame[y : y + size, x : x + size] = face
        writer.write(frame)
    writer.release()


def write_crops(folder: Path, count: int) -> None:
    folder.mkdir()
    drawn = synthetic_faces(1000, seed=0).images
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:05}.png"), drawn[index % len(drawn)])


class Replay(Source):
    """A live source of frames in memory; ``given`` is the time at which it gave the last one."""

    def __init__(self, frames: list[Frame]) -> None:
        super().__init__("replay", "live")
        self._frames = frames
        self.given = 0.0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.given = time.perf_counter()
            yield frame

    def close(self) -> None:
        """Do nothing: no resource is open."""


def new_reader(model: str | None) -> Reader:
    return Reader(detector="yunet" if model else "haar", detector_model=model)


def measure_stream(path: str, model: str | None) -> dict[str, Any]:
    reader = new_reader(model)
    list(zip(reader.stream(path), range(30), strict=False))  # warm
    started = time.perf_counter()
    found = [len(readings) for _, readings in reader.stream(path)]
    seconds = time.perf_counter() - started
    return {"per_second": len(found) / seconds, "faces": sum(found) / len(found)}


def measure_latency(path: str, model: str | None) -> dict[str, Any]:
    """Return the latency of single frames, as a camera gives them: from a frame to its readings."""
    reader = new_reader(model)
    with open_source(path) as source:
        live = Replay([frame for frame, _ in zip(source, range(200), strict=False)])
    times = [1e3 * (time.perf_counter() - live.given) for _ in reader.stream(live)][20:]
    return {"median_ms": float(np.median(times)), "p95_ms": float(np.percentile(times, 95))}


def measure_stages(path: str, model: str | None) -> dict[str, Any]:
    """Measure each stage alone, one after the other, in one Python thread."""
    reader = new_reader(model)
    detector = reader._choice.build()
    clock = time.perf_counter
    started = clock()
    with open_source(path) as source:
        frames = [frame.image for frame, _ in zip(source, range(200), strict=False)]
    side_px = video_side_px(frames[0])
    decoded = clock()
    faces = [detector.detect(frame, longest_side_px=side_px) for frame in frames]
    detected = clock()
    crops = [
        crop_face(frame, face, 0.0)
        for frame, row in zip(frames, faces, strict=True)
        for face in row
    ]
    cropped = clock()
    if crops:
        reader.bundle.predict(np.stack(crops))
    read = clock()
    steps = (started, decoded, detected, cropped, read)
    names = ("decode_ms", "detect_ms", "crop_ms", "network_ms")
    return {
        name: 1e3 * (after - before) / len(frames)
        for name, before, after in zip(names, steps[:-1], steps[1:], strict=True)
    }


def measure_crops(path: str, _: str | None) -> dict[str, Any]:
    reader = Reader(detector="none")
    started = time.perf_counter()
    count = sum(1 for _ in reader.stream(path))
    return {"per_second": count / (time.perf_counter() - started)}


def measure_cold(_: str, __: str | None) -> dict[str, Any]:
    code = f"import mien; assert mien.Reader(detector='haar').read({str(ASTRONAUT)!r})"
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return {"seconds": time.perf_counter() - started}


MEASUREMENTS = {
    "stream": measure_stream,
    "latency": measure_latency,
    "stages": measure_stages,
    "crops": measure_crops,
    "cold": measure_cold,
}


def in_a_process(what: str, path: Path, model: str | None) -> dict[str, Any]:
    arguments = [sys.executable, __file__, "--only", what, "--path", str(path)]
    arguments += ["--detector-model", model] if model else []
    result = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def core_packages() -> dict[str, Distribution]:
    """Return the packages of an installation of mien without extras, mien included."""
    found: dict[str, Distribution] = {}
    waiting = ["mien"]
    while waiting:
        package = distribution(waiting.pop())
        if package.name in found:
            continue
        found[package.name] = package
        needs = [Requirement(line) for line in package.requires or []]
        waiting += [
            need.name for need in needs if not need.marker or need.marker.evaluate({"extra": ""})
        ]
    return found


def core_megabytes() -> float:
    """Return the size of an installation without extras, compiled Python included, in MB."""
    files = [
        Path(str(file.locate()))
        for package in core_packages().values()
        for file in package.files or []
    ]
    files += Path(mien.__file__).parent.rglob("*")  # an editable installation is a link
    return sum(path.stat().st_size for path in set(files) if path.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detector-model")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--only", choices=list(MEASUREMENTS))
    parser.add_argument("--path", type=Path)
    options = parser.parse_args()
    if options.only:
        figures = MEASUREMENTS[options.only](str(options.path), options.detector_model)
        whose = resource.RUSAGE_CHILDREN if options.only == "cold" else resource.RUSAGE_SELF
        peak = resource.getrusage(whose).ru_maxrss / 1024
        print(json.dumps({**figures, "peak_mb": peak}))
        return
    frames, crops, repeats = (60, 100, 1) if options.tiny else (FRAMES, CROPS, options.repeats)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for faces in (1, 10):
            write_video(folder / f"{faces}.mp4", faces, frames)
        write_crops(folder / "crops", crops)
        plan = [
            (what, f"{faces}.mp4", faces)
            for what in ("stream", "latency", "stages")
            for faces in (1, 10)
        ]
        plan += [("crops", "crops", 1), ("cold", "crops", 1)]
        for what, path, faces in plan:
            detectors = [None] if what in ("crops", "cold") else [None, options.detector_model]
            for model in dict.fromkeys(detectors):
                runs = [in_a_process(what, folder / path, model) for _ in range(repeats)]
                detector = "none" if what == "crops" else "yunet" if model else "haar"
                for figure in runs[0]:
                    row = {"what": what, "faces": faces, "detector": detector, "figure": figure}
                    rows.append({**row, **spread("value", [run[figure] for run in runs])})
                    print(rows[-1], flush=True)
    size = {"what": "size", "faces": "", "detector": "", "figure": "core_mb"}
    rows.append({**size, **spread("value", [core_megabytes()])})
    print(rows[-1])
    if not options.tiny:
        add_rows("reader", rows)


if __name__ == "__main__":
    main()
