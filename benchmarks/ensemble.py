"""Score the mean of several models' probabilities on PublicTest (val), and each model alone.

    python benchmarks/ensemble.py runs/mien-s runs/mien-s-2 --data path/to/fer2013

The models are runs, Bundle files or shipped Bundles; all have the same weight, and all named models
take part: a subset that was chosen on val would be fitted to it. Adds a row for each model and one
for the mean to ``benchmarks/results/ensemble.csv``.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle, find_bundle
from mien.data import load_dataset
from mien.evaluation import metrics
from mien.evaluation.evaluate import evaluate_bundle
from mien.evaluation.tta import TTA
from record import add_rows


def scores(
    name: str, labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]
) -> dict[str, object]:
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1), probabilities.shape[1])
    low, high = metrics.bootstrap_interval(confusion, metrics.accuracy)
    return {
        "model": name,
        "images": len(labels),
        "accuracy": round(float(metrics.accuracy(confusion)), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "macro_f1": round(float(metrics.macro_f1(confusion)), 4),
        "calibration_error": round(metrics.calibration_error(labels, probabilities), 4),
        "log_loss": round(metrics.log_loss(labels, probabilities), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--tta", choices=TTA, default="none")
    options = parser.parse_args()

    dataset = load_dataset(options.data)
    labels = dataset.val.labels
    bundles = [Bundle(find_bundle(model)) for model in options.models]
    read = [
        np.array(evaluate_bundle(bundle, dataset, "val", tta=options.tta).probabilities)
        for bundle in bundles
    ]
    places = [Path(model).name for model in options.models]
    rows = [
        scores(f"{bundle.metadata.name} ({place})", labels, probabilities)
        for bundle, place, probabilities in zip(bundles, places, read, strict=True)
    ]
    rows.append(scores(f"mean of {' + '.join(places)}", labels, np.mean(read, axis=0)))
    for row in rows:
        row["views"] = "single" if options.tta == "none" else options.tta
        print(" ".join(f"{key} {value}" for key, value in row.items()))
    add_rows("ensemble", rows)


if __name__ == "__main__":
    main()
