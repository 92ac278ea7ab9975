"""Measure a GPU's training speed, its share of the peak, and how its losses differ from a CPU's.

    python benchmarks/gpu.py --data path/to/fer2013

Trains mien-s and mien-teacher for some epochs at several batch sizes, deterministic or not,
compiled or not, and adds a row for each to ``benchmarks/results/gpu.csv``, after each training:
images per second in the fastest epoch, and the share of the device's own peak, which is its product
of 8192x8192 matrices in the same precision. ``--device cpu --images 400`` tries it without a GPU.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from mien.data import load_dataset
from mien.data.write import write_dataset
from mien.recipes import load_recipe
from mien.recipes.sections import AugmentSection
from mien.training.augment import Augmentation
from mien.training.train import train
from record import add_rows

ROBUST = ["augment.corruption=0.5", "augment.gamma=0.5", "augment.crop_margin=[-0.1,0.35]"]
# The time before and after the epochs says nothing about the device.
BARE = [
    *("train.calibration_share=0", "train.face_gate=false"),
    *("train.votes_in_answer=0", "calibration.prior=0"),
]
CASES = [
    (model, batch, deterministic, compiled)
    for model, batches in (("mien-s", (512, 1024, 2048)), ("mien-teacher", (512, 1024)))
    for batch in batches
    for deterministic, compiled in ((True, False), (False, False), (False, True))
]
FLOPS_PER_MAC = 6  # two for the forward pass, four for the backward


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--images", type=int, help="number of train images; all by default")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--cases", type=int, default=len(CASES), help="number of epochs")
    options = parser.parse_args()

    device = torch.device(options.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    about = {"device": name, "precision": "bf16" if device.type == "cuda" else "fp32"}
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    peak = peak_of(device, dtype)
    print(f"{name}: {peak / 1e12:.1f} TFLOPS of {dtype} products", flush=True)
    rate = augmentation_rate(device)
    print(f"augmentation alone, all of it: {rate:,.0f} images/s", flush=True)
    agreement = losses_agree(options.data, device)
    print(f"losses of 2 epochs differ from the CPU's by {agreement:.1e}, relative", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        data = Path(options.data)
        if options.images:
            data = reduced(options.data, options.images, Path(folder) / "few.parquet")
        for index, (model, batch, deterministic, compiled) in enumerate(CASES[: options.cases]):
            settings = [
                *BARE,
                *ROBUST,
                f"train.epochs={options.epochs}",
                f"train.batch_size={batch}",
                f"train.deterministic={str(deterministic).lower()}",
                f"train.compile={str(compiled).lower()}",
            ]
            run = train(
                model, data, Path(folder) / str(index), overrides=settings, device=device.type
            )
            speeds = [row["images_per_second"] for row in run.history()]
            assert run.record.macs is not None
            row = {
                **about,
                "model": model,
                "batch": batch,
                "deterministic": deterministic,
                "compiled": compiled,
                "images_per_second": round(max(speeds)),
                "median": round(float(np.median(speeds))),
                "epochs": len(speeds),
                "share_of_peak": round(max(speeds) * FLOPS_PER_MAC * run.record.macs / peak, 4),
                "peak_tflops": round(peak / 1e12, 1),
                "augmentation_images_per_second": round(rate),
                "loss_difference_to_cpu": float(f"{agreement:.2g}"),
            }
            print(row, flush=True)
            add_rows("gpu", [row])


def peak_of(device: torch.device, dtype: torch.dtype) -> float:
    """Return the operations per second of the fastest of ten large matrix products."""
    side = 8192 if device.type == "cuda" else 1024
    left, right = torch.randn(2, side, side, device=device, dtype=dtype)
    return 2 * side**3 / least_seconds(lambda: left @ right, device)


def augmentation_rate(device: torch.device, images: int = 1024) -> float:
    settings = load_recipe("mien-s", ROBUST).augment.model_dump()
    change = Augmentation(AugmentSection.model_validate(settings)).to(device)
    unit = torch.rand(images, 1, 48, 48, device=device)
    return images / least_seconds(lambda: change(unit), device)


def least_seconds(call, device: torch.device) -> float:  # type: ignore[no-untyped-def]
    found = []
    for _ in range(12):
        synchronize(device)
        started = time.perf_counter()
        call()
        synchronize(device)
        found.append(time.perf_counter() - started)
    return min(found[2:])


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def losses_agree(data: str, device: torch.device) -> float:
    """Return how far the losses of a small deterministic training are from the CPU's."""
    settings = [
        *("train.epochs=2", "train.precision=fp32", "augment.enabled=false", "model.dropout=0"),
        "train.ema_decay=0",
    ]
    with tempfile.TemporaryDirectory() as folder:
        few = reduced(data, 512, Path(folder) / "few.parquet")
        histories = [
            train("quick", few, Path(folder) / name, overrides=settings, device=name).history()
            for name in {"cpu": 0, device.type: 1}
        ]
    ours, theirs = histories[0], histories[-1]
    return max(
        abs(one[name] - other[name]) / other[name]
        for one, other in zip(ours, theirs, strict=True)
        for name in ("train_loss", "val_loss")
    )


def reduced(data: str, images: int, path: Path) -> Path:
    dataset = load_dataset(data)
    rows = [np.nonzero(dataset.splits == split)[0][:images] for split in ("train", "val")]
    write_dataset(dataset.take(np.concatenate(rows)), path, "parquet")
    return path


if __name__ == "__main__":
    main()
