"""An exploration on paper: tables and page show its figures, whatever is missing."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from tests.reports.page import picture

from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.statistics import explore
from mien.data.synthetic.faces import synthetic_faces
from mien.images.crop import CropSpec
from mien.labels import BUILT_IN, FER2013, LabelSet
from mien.reports.explore import (
    exploration_tables,
    find_baseline,
    majority_names,
    write_exploration,
)


def with_votes(faces):
    """Half of the faces voted as happy, one as a tie, the rest without votes."""
    votes = np.zeros((len(faces), 10), np.int8)
    votes[: len(faces) // 2, FERPLUS_VOTES.index("happiness")] = 10
    votes[0, :2] = 5
    return replace(faces, votes=votes, drawn=False)


def test_every_figure_of_a_table_stands_in_the_page(faces, tmp_path):
    dataset = with_votes(faces)
    exploration = explore(dataset)
    page = write_exploration(exploration, dataset, tmp_path / "new" / "out")
    html = page.read_text()
    tables = exploration_tables(exploration)
    assert list(tables) == [
        "classes", "intensity", "contrast", "sizes", "agreement", "majorities",
    ]  # fmt: skip
    for table in tables.values():
        for row in table.rows:
            assert len(row) == len(table.columns)
            for cell in row:
                assert cell in html
    assert page == tmp_path / "new" / "out" / "explore.html"
    assert html.count("<svg") == 1 + 2 + 1
    of_each = exploration.class_counts().values()
    assert html.count("data:image/png") == 7 + sum(min(10, count) for count in of_each)
    assert f"{sum(min(10, count) for count in of_each)} faces of the data set" in html
    assert "in a tie there is none" in html
    assert "http://" not in html.replace("http://www.w3.org", "")  # nothing is loaded


def test_the_same_data_gives_the_same_page(faces, tmp_path):
    pages = [write_exploration(explore(faces), faces, tmp_path / name) for name in "ab"]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_tables_hold_the_figures(faces):
    exploration = explore(
        with_votes(faces), sizes=[(w + 1, 50) for w in range(12)] + [(9, 9)] * 268
    )
    tables = exploration_tables(exploration)
    counts = faces.class_counts()
    happy = next(row for row in tables["classes"].rows if row[0] == "happy")
    assert happy[-2:] == (f"{counts['happy']}", f"{counts['happy'] / 280:.1%}")
    median = f"{exploration.intensity['sad'].median:.0f}"
    assert next(row for row in tables["intensity"].rows if row[0] == "sad")[4] == median
    assert tables["sizes"].rows[0] == ("9×9", "268", "95.7%")
    assert tables["sizes"].rows[-1] == ("3 others", "3", "1.1%")
    assert "Widths: 1 to 12; heights: 9 to 50." in tables["sizes"].note
    tie = next(row for row in tables["majorities"].rows if row[0] == "tie")
    assert tie[-1] == "1"
    assert tables["agreement"].rows[-1][:3] == ("all", "140", "139")


@pytest.mark.parametrize("rows", [[0], [0, 0, 0]], ids=["one image", "identical images"])
def test_a_page_of_next_to_nothing(faces, tmp_path, rows):
    dataset = with_votes(faces).take(np.array(rows))
    exploration = explore(dataset)
    html = write_exploration(exploration, dataset, tmp_path).read_text()
    assert html.count("no image</p>") == 6  # of each emotion but one
    assert "1 of 7" in html
    assert exploration_tables(exploration)["agreement"].rows[-1][-1] == "–"  # a tie, never compared


def test_no_votes_no_section(faces, tmp_path):
    html = write_exploration(explore(faces), faces, tmp_path).read_text()
    assert 'id="votes"' not in html
    assert "agreement" not in exploration_tables(explore(faces))


def test_names_from_the_files_are_text_in_the_page(faces, tmp_path):
    ids = np.array([f"<b>{name}" for name in faces.ids])
    dataset = replace(faces, name="<script>", ids=ids)
    html = write_exploration(explore(dataset), dataset, tmp_path).read_text()
    assert "<script>" not in html
    assert "<b>" not in html


@pytest.mark.parametrize("classes", [2, 3, 20])
def test_a_page_of_other_classes_in_colour_names_nothing_else(tmp_path, classes):
    labels = LabelSet(tuple(f"kind {number}" for number in range(classes)))
    drawn = synthetic_faces(3 * classes, label_set=labels, crop=CropSpec(64, 3))
    dataset = with_votes(drawn)  # which do not fit these classes
    images = drawn.images.copy()
    images[drawn.labels == 0] = (250, 20, 60)
    dataset = replace(dataset, images=images)
    exploration = explore(dataset)
    html = write_exploration(exploration, dataset, tmp_path).read_text()
    text = re.sub(r"data:image/png[^\"]*", "", html)
    assert not [name for name in FER2013.names if name in text]
    assert "FER" not in text
    assert "64×64 images" in exploration_tables(exploration)["sizes"].note
    assert f"{classes} of {classes}" in html
    means, samples = html[html.index('id="means"') :], html[html.index('id="samples"') :]
    assert picture(means)[0, 0].tolist() == [60, 20, 250]  # blue, green, red
    assert picture(samples)[0, 0].tolist() == [60, 20, 250]
    for name in labels.names:
        assert name in html


def test_votes_are_compared_with_fer2013s_labels_alone(faces, tmp_path):
    dataset = replace(with_votes(faces), label_set=BUILT_IN["affectnet7"])
    assert 'id="votes"' not in write_exploration(explore(dataset), dataset, tmp_path).read_text()


def test_majorities_are_in_the_order_of_the_labels():
    names = list(majority_names().values())
    assert names[:7] == list(FER2013.names)
    assert names[7:] == ["contempt", "unknown", "not a face", "tie"]


def test_a_network_has_to_beat_the_most_common_class_of_the_training_images(faces, tmp_path):
    exploration = explore(faces)
    baseline = find_baseline(exploration)
    train, val = (exploration.counts[split] for split in ("train", "val"))
    assert train[baseline.emotion] == max(train.values())
    assert baseline.split == "val"
    assert baseline.accuracy == val[baseline.emotion] / sum(val.values())
    html = write_exploration(exploration, faces, tmp_path).read_text()
    assert f"has to beat {baseline.accuracy:.1%}, the share of val that is" in html
    alone = find_baseline(explore(faces.train))
    assert alone.split == ""
    assert alone.accuracy == max(train.values()) / sum(train.values())


def test_commands_name_the_paths_of_the_data(faces, tmp_path):
    def page(dataset, *paths):
        written = write_exploration(explore(dataset), dataset, tmp_path, paths=paths)
        return unescape(written.read_text())

    text = page(faces, "my faces.csv")
    assert "<pre>mien data audit 'my faces.csv'</pre>" in text
    assert "<pre>mien train quick --data 'my faces.csv'</pre>" in text
    two = page(replace(faces, skipped=("row 7: no pixels",)), "a.parquet", "b.parquet")
    assert "<pre>mien data audit a.parquet b.parquet</pre>" in two
    assert "mien train quick --data a.parquet --data b.parquet --skip-bad" in two
    assert "<pre>" not in page(faces)


@pytest.mark.parametrize("drawn", [False, True])
def test_the_page_says_that_faces_are_drawn(faces, tmp_path, drawn):
    dataset = replace(with_votes(faces), drawn=drawn)
    text = write_exploration(explore(dataset), dataset, tmp_path).read_text()
    assert ("These faces are drawn by mien, not photographed" in text) == drawn
    assert ('id="votes"' in text) == (not drawn)
    assert ("FER+ agreement" in text) == (not drawn)
