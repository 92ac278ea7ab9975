from __future__ import annotations

import numpy as np
import pytest
from tests.reports.page import Page

from mien.bundle.metadata import BundleMetadata
from mien.explain.faces import FaceMaps, Neighbour, ReadFace, ReadFaces
from mien.explain.sanity import Sanity
from mien.labels import FER2013
from mien.reports.explanation import draw_occlusion, measure_agreement, write_explanations
from mien.reports.figures.overlay import overlay
from mien.vision.reading import Reading

ABOUT = BundleMetadata(name="net & more", parameters=1, mien_version="0")
SANITY = Sanity(
    images=20, networks=5, correlation=0.12, low=-0.1, high=0.3, passed=True, seed=0
)  # fmt: skip


def a_face(emotion="happy", probability=0.7, *, uncertain=False):
    rest = (1 - probability) / 6
    reading = Reading(
        source="<i>party</i>.jpg",
        box=(1, 2, 30, 40),
        score=0.9,
        emotion=emotion,
        probabilities={name: probability if name == emotion else rest for name in FER2013.names},
        uncertain=uncertain,
    )
    crop = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    return ReadFace(crop, reading)


def spot(level=0.4):
    heat = np.zeros((48, 48), np.float32)
    heat[30:40, 20:30] = level
    return heat


def test_a_small_drop_is_not_blown_up():
    strong, weak = (FaceMaps(a_face(), spot(level)) for level in (0.4, 0.01))
    assert strong.drop == pytest.approx(0.4)
    half = FaceMaps(a_face(), spot(0.2))
    assert np.array_equal(draw_occlusion(strong), draw_occlusion(half))
    assert not np.array_equal(draw_occlusion(strong), draw_occlusion(weak))
    likelier = FaceMaps(a_face(), -spot())
    assert likelier.drop == 0
    plain = overlay(likelier.face.crop, np.zeros((48, 48)))
    assert np.array_equal(draw_occlusion(likelier), plain)


def page(tmp_path, faces, **options):
    read = ReadFaces(tuple(one.face for one in faces), options.pop("found", len(faces)), 3)
    path = tmp_path / "page.html"
    write_explanations(path, faces, read, ABOUT, **options)
    return path.read_text(encoding="utf-8")


def test_the_page_has_a_panel_a_face_and_needs_nothing_else(tmp_path):
    faces = [
        FaceMaps(a_face(), spot(), spot(1)),
        FaceMaps(a_face("fear", 0.31, uncertain=True), spot(0.1), np.zeros((48, 48))),
    ]
    text = page(tmp_path, faces, sanity=SANITY, found=70)
    parsed = Page(text)
    assert parsed.scripts == parsed.images_without_words == 0
    assert all(address.startswith(("#", "data:image/png")) for address in parsed.addresses)
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert text.count("<img") == 1 + 2 * 3
    assert "<i>party" not in text
    assert "net &amp; more" in text
    assert "party&lt;/i&gt;.jpg, box 1, 2, 30, 40" in text
    assert "1 · happy 70%" in text
    assert "2 · uncertain, most likely fear 31%" in text
    assert "−40 points at most" in text
    assert text.count("<figcaption>Grad-CAM: empty</figcaption>") == 1
    assert "70 faces in 3 photos; the 2 largest are shown" in text
    assert "where, not why" in text
    assert "Sanity check: passed" in text
    assert "0.12 over 20 faces" in text
    assert "Without Grad-CAM" not in text
    assert "holds faces of the data set" not in text


def test_a_check_that_is_not_passed_warns(tmp_path):
    failed = SANITY.model_copy(update={"passed": False, "correlation": 0.8})
    text = page(tmp_path, [FaceMaps(a_face(), spot(), spot())], sanity=failed)
    assert "Sanity check: not passed" in text
    assert "do not rely on them" in text


@pytest.mark.parametrize("images", [1, 4])
def test_a_check_on_few_faces_is_not_called_passed(tmp_path, images):
    few = SANITY.model_copy(update={"images": images})
    text = page(tmp_path, [FaceMaps(a_face(), spot(), spot())], sanity=few)
    assert "Sanity check: too few faces." in text
    assert "passed" not in text
    failed = few.model_copy(update={"passed": False})
    assert "not passed" in page(tmp_path, [FaceMaps(a_face(), spot(), spot())], sanity=failed)


def test_the_pictures_come_before_their_explanation(tmp_path):
    faces = [FaceMaps(a_face(), spot(), spot(1))] * 8
    text = page(tmp_path, faces, sanity=SANITY)
    verdict, first, trust = (text.index(part) for part in ('class="verdict"', "<img", 'id="trust"'))
    assert verdict < first < trust
    assert "8 faces are read: 8 as happy; for 8 of them" in text
    shown, folded = text.split("<summary>2 more faces</summary>")
    assert "6 · happy" in shown
    assert "7 · happy" in folded


def test_one_face_is_summed_up_by_its_drop(tmp_path):
    text = page(tmp_path, [FaceMaps(a_face(), spot(0.4), spot())], sanity=SANITY)
    assert "The face is read as happy (70%); covering the region that matters most" in text
    assert "by 40 percentage points." in text
    pale = page(tmp_path, [FaceMaps(a_face(), spot(0.01), spot())], sanity=SANITY)
    assert "no single region matters much for it." in pale


def test_the_agreement_of_two_maps_is_their_correlation(tmp_path):
    assert measure_agreement(FaceMaps(a_face(), spot(), spot(1))) == pytest.approx(1)
    assert measure_agreement(FaceMaps(a_face(), spot(), -spot(1))) == pytest.approx(-1)
    assert measure_agreement(FaceMaps(a_face(), spot())) is None
    assert measure_agreement(FaceMaps(a_face(), spot(), np.zeros((48, 48)))) is None
    text = page(tmp_path, [FaceMaps(a_face(), spot(), spot(1))], sanity=SANITY)
    assert "Correlation of the two maps: 1.00" in text


def test_where_every_map_is_empty_there_is_nothing_to_check(tmp_path):
    text = page(tmp_path, [FaceMaps(a_face(), spot(), np.zeros((48, 48)))])
    assert "Sanity check: skipped." in text


def test_without_gradients_the_page_says_how_to_get_them(tmp_path):
    text = page(tmp_path, [FaceMaps(a_face(), spot())], without="torch is not installed")
    assert "Without Grad-CAM:</b> torch is not installed" in text
    assert text.count("<img") == 3
    assert "Sanity" not in text


def test_training_faces_are_announced(tmp_path):
    other = Neighbour(np.full((48, 48), 90, np.uint8), "sad")
    faces = [FaceMaps(a_face(), spot(), spot(), [other] * 5)]
    text = page(tmp_path, faces, sanity=SANITY)
    assert "holds faces of the data set" in text
    assert text.count('alt="A training face labelled sad"') == 5
