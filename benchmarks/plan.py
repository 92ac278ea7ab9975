"""Run a plan, a sweep of named variants, and pack each trained run into one small file.

    python benchmarks/plan.py benchmarks/plans/a-variants.toml --data path/to/fer2013 \
        --out plans/a --jobs 6 --minutes 7

``--out`` gets ``NAME.zip`` for each trial that has weights, as soon as it ends, and ``sweep.csv``.
A zip is a run directory without checkpoints and images, its kernels in float16; unpacked, it can
serve as a teacher. The sweep itself stays in ``--work``, where ``mien sweep --resume`` continues
it. Trials are measured on val alone, never on a test split. Trials that ``mien sweep --resume``
finishes later are not packed. ``--epochs`` and ``--images`` are for a short test of the plan on a
CPU.

The search for duplicates in FER-2013 takes a few minutes on two cores, before any trial starts. Its
result is kept in the folder that ``MIEN_CACHE`` names: copy that to a new machine.
"""

import argparse
import sys
import zipfile
from pathlib import Path
from time import monotonic

import numpy as np
import safetensors.torch

from mien.data import FaceDataset
from mien.data.duplicates.groups import find_duplicates, find_overlap
from mien.data.write import write_dataset
from mien.errors import MienError
from mien.io.files import atomic_file, write_text
from mien.runs.data import load_split_data
from mien.runs.run import Run, free_name
from mien.sweeps.folder import SweepFolder, Trial
from mien.sweeps.load import load_sweep
from mien.sweeps.results import results_csv, results_table
from mien.sweeps.runner import SweepListener, start_sweep

MOST_BYTES = 16 * 2**20
KEPT = (
    "run.json",
    "recipe.toml",
    "history.csv",
    "calibration.json",
    "face_gate.json",
    "membership.npz",
)
LEAST_VAL_IMAGES = 100
LEAST_MINUTES = 0.01  # no trial trains, and all are listed as unfinished


class Packer(SweepListener):
    """Packs each trial when it ends, so that ended trials are kept however the plan ends."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder: SweepFolder | None = None

    def started(self, folder: SweepFolder, total: int) -> None:
        self.folder = folder
        say(f"{folder.record.sweep.name}: {total} trials in {folder.path}")

    def trial_ended(self, trial: Trial) -> None:
        assert self.folder is not None
        if trial.measured:
            val = trial.scores["val"]
            say(
                f"{trial.label} {trial.status}: val accuracy {val.accuracy:.4f}, "
                f"{trial.epochs} epochs in {trial.seconds:.0f} s"
            )
        else:
            # the machine may be gone before anybody can read the log on it
            log = self.folder.log_path(trial.number).read_text("utf-8", errors="replace")
            say("\n".join([f"{trial.label} failed: {trial.error}", *log.splitlines()[-20:]]))
        run = self.folder.run_path(trial.number)
        if (run / "model.safetensors").is_file():  # also of a trial that failed after training
            pack(Run(run), self.out / f"{name_of(trial)}.zip")
        write_text(self.out / "sweep.csv", results_csv(self.folder))

    def out_of_time(self, message: str) -> None:
        say(message)


def pack(run: Run, path: Path) -> None:
    """Write a run without its checkpoints to a zip, its kernels in float16."""
    weights = safetensors.torch.load_file(run.weights_path)
    halved = {
        name: tensor.half() if tensor.ndim >= 2 and tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }
    with (
        atomic_file(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        target.writestr("model.safetensors", safetensors.torch.save(halved))
        for kept in (*(run.path / name for name in KEPT), run.evaluation_path("val")):
            if kept.is_file():
                target.write(kept, kept.relative_to(run.path).as_posix())
    size = path.stat().st_size
    if size > MOST_BYTES:
        say(f"{path}: {size:,} bytes, expected {MOST_BYTES:,} at most; make the network smaller")


def name_of(trial: Trial) -> str:
    return trial.name or f"{trial.number:03}"


def reduced(dataset: FaceDataset, images: int) -> FaceDataset:
    """Return the first images of train, and the same share of val, but enough to measure on."""
    share = images / len(dataset.train)
    counts = {"train": images, "val": max(LEAST_VAL_IMAGES, round(share * len(dataset.val)))}
    rows = [np.nonzero(dataset.splits == split)[0][:count] for split, count in counts.items()]
    return dataset.take(np.concatenate(rows))


def find_duplicates_once(dataset: FaceDataset) -> None:
    """Search for duplicates once, so that every trial finds the result in the cache."""
    say("searching for duplicates within train, and of val in train")
    find_duplicates(dataset.train.images)
    find_overlap(dataset.val.images, dataset.train.images)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--data", required=True, type=Path, nargs="+")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--work", type=Path, help="the sweep's directory; default: runs/PLAN")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--minutes",
        type=float,
        help="minutes from the start of this command until trials are stopped",
    )
    parser.add_argument("--epochs", type=int, help="epochs per trial, to test the plan")
    parser.add_argument("--images", type=int, help="train images, to test the plan")
    options = parser.parse_args()
    began = monotonic()

    epochs = [] if options.epochs is None else [f"train.epochs={options.epochs}"]
    plan = load_sweep(options.plan, overrides=epochs)
    work = options.work or free_name(Path("runs"), plan.name)
    data = options.data
    dataset = load_split_data(plan.recipe_for({}).data, data)
    if options.images is not None:
        # next to the sweep, which is resumed on the same data; Parquet keeps FER+ votes
        few = work.with_name(f"{work.name}-images.parquet")
        dataset = reduced(dataset, options.images)
        write_dataset(dataset, few, "parquet")
        data = [few]
    find_duplicates_once(dataset)
    minutes = options.minutes
    if minutes is not None:
        minutes = max(minutes - (monotonic() - began) / 60, LEAST_MINUTES)
    packer = Packer(options.out)
    folder = start_sweep(
        plan,
        data,
        work,
        jobs=options.jobs,
        device=options.device,
        minutes=minutes,
        splits=("val",),
        listener=packer,
    )
    write_text(options.out / "sweep.csv", results_csv(folder))
    print(results_table(folder).to_markdown())
    if any(trial.status == "failed" for trial in folder.trials()):
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except MienError as error:
        sys.exit(f"plan: {error}")
