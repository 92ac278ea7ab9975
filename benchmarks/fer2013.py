"""Draw the figures of docs/explanation/fer2013.md as SVG: statistics of FER-2013, no faces.

python benchmarks/fer2013.py --data path/to/fer2013
"""

import argparse
from pathlib import Path

import numpy as np

from mien.curation.label_reader import doubt, read_crosswise
from mien.data import FaceDataset, load_dataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.sizes import read_sizes
from mien.data.statistics import explore
from mien.data.votes import find_majorities, labels_of, name_an_expression
from mien.io.files import write_text
from mien.reports.explore import majority_names
from mien.reports.figures.classes import draw_class_counts
from mien.reports.figures.exploration import draw_majorities
from mien.reports.svg import as_file, to_svg

FOLDER = Path(__file__).parent.parent / "docs" / "figures"


def check_doubts(dataset: FaceDataset) -> None:
    """Print how often voters disagree with the labels that the classifier doubts."""
    assert dataset.votes is not None
    reading = read_crosswise(dataset, find_duplicates(dataset.images).groups)
    assert reading is not None
    right = reading.probabilities.argmax(1) == dataset.labels
    doubts = doubt(dataset.labels, reading.probabilities)
    majorities = find_majorities(dataset.votes)
    compared = name_an_expression(majorities) & dataset.votes.any(1)
    against = compared & (labels_of(majorities) != dataset.labels)
    order = np.argsort(-doubts, kind="stable")
    print(f"classifier's accuracy {right.mean():.3f}, doubted {np.count_nonzero(doubts):,}")
    print(f"votes against the label, of all {compared.sum():,}: {against[compared].mean():.3f}")
    for first in (500, 1000, 2000, 5000, np.count_nonzero(doubts)):
        rows = order[:first][compared[order[:first]]]
        print(f"votes against the label, of the first {first:,}: {against[rows].mean():.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path)
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.data)
    exploration = explore(dataset, sizes=read_sizes(dataset, [arguments.data]))
    assert exploration.votes is not None
    drawn = {
        "classes": draw_class_counts(exploration.counts),
        "votes": draw_majorities(exploration.votes, majority_names()),
    }
    for name, figure in drawn.items():
        write_text(FOLDER / f"fer2013-{name}.svg", as_file(to_svg(figure)))
    check_doubts(dataset)


if __name__ == "__main__":
    main()
