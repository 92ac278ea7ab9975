from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from tests.reports.page import picture

from mien.curation import audit_dataset
from mien.data.synthetic.faces import synthetic_faces
from mien.images.crop import CropSpec
from mien.labels import FER2013, LabelSet
from mien.reports.audit import audit_table, figures_table, write_audit


@pytest.fixture(scope="module")
def dataset():
    faces = synthetic_faces(140, seed=2)
    images = faces.images.copy()
    (val,) = np.nonzero(faces.splits == "val")
    images[val[0]] = images[0]
    return replace(faces, images=images, skipped=("<b>.png: the file is empty",), name="a<b>")


def test_the_page_shows_each_finding_with_its_images(dataset, tmp_path):
    audit = audit_dataset(dataset)
    page = write_audit(audit, dataset, tmp_path).read_text()
    for finding in audit.findings:
        assert page.count(f'href="#{finding.check}-') == 1
        assert finding.why in page
    shown = sum(min(len(one.items), 12) > 0 for one in audit.findings if one.check != "unreadable")
    assert page.count('<ul class="cases">') == shown
    assert "data:image/png;base64," in page
    assert "&lt;b&gt;.png: the file is empty" in page
    assert "<b>.png" not in page
    assert not re.search(r'(src|href)="(http|/)', page)  # offline, and nothing is sent
    assert json.loads((tmp_path / "audit.json").read_text())["mien_audit"] == 1


def test_the_tables_hold_every_finding_and_figure(dataset):
    audit = audit_dataset(dataset)
    assert [row[0] for row in audit_table(audit).rows] == [one.title for one in audit.findings]
    found = audit.findings[0]
    assert [row[0] for row in figures_table(found).rows] == list(found.figures)


def test_a_file_name_that_is_no_utf_8_is_escaped(dataset, tmp_path):
    latin = b"joy\xe9.png".decode(errors="surrogateescape")
    ids = np.array([f"{name} {latin}" for name in dataset.ids])
    named = replace(dataset, ids=ids, name=latin, skipped=(f"{latin}: the file is empty",))
    audit = audit_dataset(named)
    page = write_audit(audit, named, tmp_path).read_text(encoding="utf-8")
    assert "joy\\udce9.png: the file is empty" in page
    kept = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert kept["name"] == latin


def test_faces_in_colour_keep_their_colours_and_notes_are_shown(tmp_path):
    drawn = synthetic_faces(30, label_set=LabelSet(("quiet", "loud")), crop=CropSpec(64, 3))
    images = drawn.images.copy()
    images[3] = (250, 20, 60)
    faces = replace(drawn, images=images, notes=("9 images of unknown classes were left out",))
    audit = audit_dataset(faces)
    html = write_audit(audit, faces, tmp_path).read_text()
    blank = html[html.index('id="blank-') :]
    assert picture(blank)[0, 0].tolist() == [60, 20, 250]  # blue, green, red
    assert "9 images of unknown classes were left out." in html
    assert json.loads((tmp_path / "audit.json").read_text())["notes"] == list(faces.notes)
    text = re.sub(r"data:image/png[^\"]*", "", html)
    assert not [name for name in FER2013.names if name in text]
