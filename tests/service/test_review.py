"""A review without its page: journal, decisions, evidence, and what the server answers."""

from __future__ import annotations

import itertools
import json
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="not installed yet: make setup")

from fastapi.testclient import TestClient
from tests.service.conftest import problem

from mien.bundle.bundle import Bundle, find_bundle
from mien.curation import audit_dataset
from mien.curation.clean import apply_decisions
from mien.curation.manifest import read_manifest
from mien.data import FaceDataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.synthetic.faces import synthetic_faces
from mien.errors import DataError, MienError
from mien.labels import LabelSet
from mien.service.problems import Problem
from mien.service.review.app import create_app
from mien.service.review.decisions import Choice, Decisions
from mien.service.review.evidence import Evidence, choose_rows, read_faces, read_findings
from mien.service.review.journal import journal_path, open_journal
from mien.service.review.review import Review

NAMES = LabelSet(("=low", "mittel; bis <b>", "très haut"))


@pytest.fixture(scope="module")
def dataset() -> FaceDataset:
    """Twenty drawn faces of three classes of odd names; face 5 is face 4 again, in its split."""
    drawn = synthetic_faces(20, seed=2, label_set=NAMES)
    images = drawn.images.copy()
    images[5] = images[4]
    splits = drawn.splits.copy()
    splits[5] = splits[4]
    return replace(drawn, images=images, splits=splits)


@pytest.fixture
def manifest(tmp_path) -> Path:
    return tmp_path / "manifest.csv"


@pytest.fixture
def opened(dataset, manifest):
    """A review of all faces, with its journal."""
    with open_journal(manifest, dataset) as journal:
        evidence = Evidence(
            dataset, choose_rows(dataset, None), find_duplicates(dataset.images, exact_only=True)
        )
        yield Review(evidence, Decisions(journal, dataset), manifest, "mien data clean")


@pytest.fixture
def client(opened):
    app = create_app(opened, port=8001)
    with TestClient(app, base_url="http://127.0.0.1:8001") as one:
        one.headers["X-Mien-Token"] = app.state.token
        yield one


def keep(row: int, tab: str = "a") -> Choice:
    return Choice(row, "keep", 0, tab)


def states(dataset: FaceDataset, manifest: Path) -> dict[int, tuple[str, int]]:
    """Return what the journal on the disk says, as a new process would read it."""
    with open_journal(manifest, dataset) as journal:
        decisions = Decisions(journal, dataset)
        return {one.row: (one.action, one.label) for one in decisions.in_force()}


def test_whatever_is_left_of_a_last_line_the_others_are_read(dataset, manifest):
    with open_journal(manifest, dataset) as journal:
        decisions = Decisions(journal, dataset)
        decisions.decide(keep(3), 0)
        decisions.decide(Choice(4, "relabel", 2), 0)
        decisions.decide(Choice(5, "drop", 0), 0)
    path = journal_path(manifest)
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    expected = states(dataset, manifest)
    assert {row: action for row, (action, _) in expected.items()} == {
        3: "keep",
        4: "relabel",
        5: "drop",
    }
    del expected[5]
    for end in (start, start + 1, (start + len(whole)) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with open_journal(manifest, dataset) as journal:
            assert bool(journal.note) == (end > start)
            again = Decisions(journal, dataset)
            assert {one.row: (one.action, one.label) for one in again.in_force()} == expected
            again.decide(keep(9), 0)  # after the dropped line, not on it
        assert set(states(dataset, manifest)) == {3, 4, 9}
    path.write_bytes(whole[:10])  # killed while it was begun
    assert states(dataset, manifest) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("keep", "kept"), "line 2 does not fit"),
        (lambda text: text.replace('"n": 2', '"n": 7'), "line 3 does not fit"),
        (lambda text: text.replace('"id": "', '"id": "x'), "line 2 does not fit"),
        (lambda text: text.replace('{"n": 1', '"n": 1'), "line 2 is not a line of a review"),
        (lambda text: text.replace("mien_review", "other"), "is not the first line of a review"),
        (lambda text: text.replace('"fingerprint": "', '"fingerprint": "x'), "has other images"),
    ],
)
def test_a_journal_that_does_not_fit_is_one_line(dataset, manifest, change, said):
    with open_journal(manifest, dataset) as journal:
        decisions = Decisions(journal, dataset)
        decisions.decide(keep(3), 0)
        decisions.decide(keep(4), 0)
    path = journal_path(manifest)
    changed = change(path.read_text())
    path.write_text(changed)
    with pytest.raises(DataError, match=said) as error:
        states(dataset, manifest)
    assert "\n" not in str(error.value)
    assert path.read_text() == changed


def test_a_journal_is_open_once(dataset, manifest):
    with open_journal(manifest, dataset):
        with pytest.raises(MienError, match="another mien data review has it open"):
            states(dataset, manifest)
    assert states(dataset, manifest) == {}


def test_a_full_disk_leaves_no_part_of_a_line(dataset, manifest):
    path = journal_path(manifest)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_journal(manifest, dataset) as journal:
        decisions = Decisions(journal, dataset)
        decisions.decide(keep(1), 0)
        before = path.read_bytes()
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
        try:
            with pytest.raises(Problem, match="not on the disk") as refused:
                decisions.decide(keep(2), 0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert refused.value.status == 507
        assert path.read_bytes() == before
        assert decisions.find(2) is None
        decisions.decide(keep(2), 0)
    assert set(states(dataset, manifest)) == {1, 2}


def test_undo_takes_back_the_own_tabs_decisions_and_those_of_earlier_runs(dataset, manifest):
    with open_journal(manifest, dataset) as journal:
        Decisions(journal, dataset).decide(keep(0, "a"), 0)
    with open_journal(manifest, dataset) as journal:
        decisions = Decisions(journal, dataset)
        decisions.decide(keep(1, "a"), 0)
        decisions.decide(keep(2, "b"), 0)
        decisions.decide(Choice(1, "drop", 0, "a"), decisions.version(1))
        assert decisions.undo("a") == 1
        assert decisions.find(1).action == "keep"
        assert decisions.undo("a") == 1
        assert decisions.find(1) is None
        assert decisions.undo("a") == 0
        assert decisions.undo("a") is None
    assert set(states(dataset, manifest)) == {2}


def test_two_tabs_do_not_overwrite_each_other(dataset, opened):
    decisions = opened.decisions
    decisions.decide(keep(7, "a"), 0)
    with pytest.raises(Problem, match="another tab"):
        decisions.decide(Choice(7, "drop", 0, "b"), 0)
    assert opened.changes(0)["faces"] == [
        {"row": 7, "decision": {"action": "keep", "label": 0}, "version": 1}
    ]
    decisions.decide(Choice(7, "drop", 0, "b"), 1)  # having seen it
    assert decisions.find(7).action == "drop"
    assert opened.changes(1) == {"sequence": 2, "faces": [opened.state(7)]}


def test_the_manifest_is_the_one_that_cleaning_reads(dataset, opened, manifest):
    labels = dataset.labels.tolist()
    expected = {row: (labels[row] + 1) % 3 for row in (0, 6, 7)}
    for row, label in expected.items():
        opened.decide(row, "relabel", label, 0, "a")
    opened.decide(1, "drop", None, 0, "a")
    opened.decide(2, "relabel", labels[2], 0, "a")  # its own label
    opened.decide(3, "keep", None, 0, "a")
    assert opened.write() == 4
    decisions = read_manifest(manifest, dataset)
    cleaned = apply_decisions(dataset, decisions)
    assert len(cleaned) == 19
    rows = cleaned.rows.tolist()
    assert {row: cleaned.labels[rows.index(dataset.rows[row])] for row in expected} == expected
    assert dataset.rows[1] not in rows
    assert {one.because for one in decisions} == {"reviewed"}
    summary = {one.label: one for one in opened.summary()}
    assert sum(one.kept for one in summary.values()) == 2
    for label, name in enumerate(NAMES.names):
        changed = [row for row in expected if labels[row] == label]
        kept = [row for row in (2, 3) if labels[row] == label]
        if changed or kept:
            share = len(kept) / (len(kept) + len(changed))
            assert summary[name].agreement == pytest.approx(share)


def test_findings_come_with_their_faces_those_of_labels_first(dataset, tmp_path):
    labels = dataset.labels.copy()
    labels[4:6] = 0, 2
    conflicting = replace(dataset, labels=labels)
    audit_dataset(conflicting).save(tmp_path / "audit.json")
    found = read_findings(tmp_path, conflicting)
    assert found[0].check == "conflicting-labels"
    assert list(found[0].notes) == [4, 5]
    rows = choose_rows(conflicting, found)
    assert rows.tolist()[:2] == [4, 5]
    evidence = Evidence(conflicting, rows, find_duplicates(conflicting.images), found)
    assert evidence.copies(4)[0] == (5, True)
    assert "conflicting-labels" in [one.check for one, _ in evidence.findings(5)]
    with pytest.raises(DataError, match="is it the audit of another data set"):
        read_findings(tmp_path, synthetic_faces(20, seed=3))
    (tmp_path / "audit.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"is not the audit\.json"):
        read_findings(tmp_path, conflicting)


def test_a_model_orders_the_faces_it_was_not_trained_on():
    dataset = synthetic_faces(30, seed=4)
    bundle = Bundle(find_bundle("mien-xs"))
    trained_on = np.arange(30) < 5
    rows = np.arange(29, -1, -1)
    reading = read_faces(dataset, rows, bundle, trained_on)
    evidence = Evidence(dataset, rows, find_duplicates(dataset.images), reading=reading)
    probabilities = bundle.predict(dataset.images)[1]
    order = evidence.ordered(rows.tolist(), "unsure")
    assert sorted(order[-5:]) == [0, 1, 2, 3, 4]
    surest = [float(probabilities[row].max()) for row in order[:-5]]
    assert all(one <= other + 1e-6 for one, other in itertools.pairwise(surest))
    assert evidence.ordered(rows.tolist(), "found") == rows.tolist()
    assert read_faces(dataset, rows, bundle, np.ones(30, bool)) is None


def test_a_face_is_shown_with_all_that_is_known(dataset, opened, client):
    votes = np.zeros((20, len(FERPLUS_VOTES)), np.int8)
    votes[4, [1, 3]] = 2, 8
    object.__setattr__(opened.evidence, "dataset", replace(dataset, votes=votes))
    (face,) = client.get("/api/faces", params={"row": 4}).json()
    assert face["votes"] == [[FERPLUS_VOTES[3], 8], [FERPLUS_VOTES[1], 2]]
    assert [(one["row"], one["identical"]) for one in face["copies"]] == [(5, True)]
    assert face["picture"].startswith("data:image/png;base64,")
    assert client.get("/api/faces/4.png").content.startswith(b"\x89PNG")
    about = client.get("/api/review").json()
    assert [one["name"] for one in about["labels"]] == list(NAMES.names)


def test_the_queue_passes_filters(dataset, opened, client):
    opened.decide(2, "keep", None, 0, "a")
    whole = client.get("/api/queue").json()
    assert whole["rows"] == list(range(20))
    assert whole["decided"] == [2]
    of_class = client.get("/api/queue", params={"label": 1}).json()["rows"]
    assert of_class == np.flatnonzero(dataset.labels == 1).tolist()
    both = client.get("/api/queue", params={"label": 1, "split": "train"}).json()["rows"]
    assert both == [row for row in of_class if dataset.splits[row] == "train"]


def test_names_of_files_need_not_be_text(dataset, manifest):
    ids = dataset.ids.astype("<U40")
    ids[3] = "train/\udcff\n<b>.png"
    odd = replace(dataset, ids=ids)
    with open_journal(manifest, odd) as journal:
        none = find_duplicates(odd.images, exact_only=True)
        evidence = Evidence(odd, choose_rows(odd, None), none)
        review = Review(evidence, Decisions(journal, odd), manifest, "")
        app = create_app(review, port=8001)
        with TestClient(app, base_url="http://127.0.0.1:8001") as client:
            client.headers["X-Mien-Token"] = app.state.token
            (face,) = client.get("/api/faces", params={"row": 3}).json()
            assert face["id"] == r"train/\udcff\n<b>.png"
            assert client.post("/api/decisions", json=body(row=3, action="drop")).is_success
            assert client.post("/api/manifest").is_success
    assert states(odd, manifest)[3][0] == "drop"
    assert [line.id for line in read_manifest(manifest, odd)] == [ids[3]]


def body(**more) -> dict:
    return {"row": 0, "action": "keep", "version": 0, "tab": "t", **more}


def test_other_sites_are_refused_whatever_they_know(client):
    path, own = "/api/decisions", "http://127.0.0.1:8001"
    token = client.headers.pop("X-Mien-Token")

    def post(**headers):
        return client.post(path, json=body(), headers=headers)

    problem(post(), 403, "no-token")
    problem(post(Origin=own), 403, "no-token")
    problem(post(Origin=own, **{"X-Mien-Token": "guess"}), 403, "no-token")
    known = {"X-Mien-Token": token}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1"):
        problem(post(Origin=origin, **known), 403, "other-origin")
    problem(post(Origin="http://evil.example:8001", Host="evil.example:8001", **known), 421,
            "other-host")  # fmt: skip
    problem(client.get("/", headers={"Host": "evil.example"}), 421, "other-host")
    for where in ("/api/undo", "/api/manifest"):
        problem(client.post(where, json={"tab": "t"}), 403, "no-token")
    assert client.get("/api/changes").json()["sequence"] == 0
    assert post(Origin=own, **known).status_code == 200
    assert client.get("/api/changes").json()["sequence"] == 1
    page = client.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.headers["cross-origin-resource-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"row": 20}, 404, "not-found"),
        ({"row": -1}, 404, "not-found"),
        ({"action": "delete"}, 422, "invalid-body"),
        ({"action": "relabel", "label": 3}, 422, "invalid-body"),
        ({"action": "relabel"}, 422, "invalid-body"),
        ({"tab": "x" * 65}, 422, "invalid-body"),
        ({"version": 5}, 409, "decided-elsewhere"),
        ({"more": 1}, 422, "invalid-body"),
    ],
)
def test_a_request_that_cannot_be_used_decides_nothing(client, change, status, kind):
    problem(client.post("/api/decisions", json=body(**change)), status, kind)
    assert client.get("/api/changes").json()["sequence"] == 0


def test_pages_that_there_are_not_are_told_as_problems(client):
    problem(client.get("/nothing"), 404, "not-found")
    problem(client.get("/static/../journal.py"), 404, "not-found")
    problem(client.get("/api/decisions"), 405, "no-such-method")
    problem(client.get("/api/faces/20.png"), 404, "not-found")
    problem(client.get("/api/faces", params={"row": list(range(65))}), 422, "invalid-body")
    large = client.post("/api/decisions", content=b"[" * 2_000_000)
    problem(large, 413, "body-too-large")
    deep = client.post("/api/decisions", content=b"[" * 100_000)
    assert deep.status_code in (400, 422)
    assert deep.headers["content-type"] == "application/problem+json"


def test_what_is_told_is_on_the_disk(dataset, client, manifest):
    state = client.post("/api/decisions", json=body(row=3, action="drop")).json()
    line = json.loads(journal_path(manifest).read_text().splitlines()[-1])
    assert line["n"] == state["version"] == 1
    assert line["id"] == str(dataset.ids[3])
    written = client.post("/api/manifest").json()
    assert written["lines"] == 1
    assert len(read_manifest(manifest, dataset)) == 1
    client.post("/api/undo", json={"tab": "t"})
    assert client.post("/api/manifest").json()["lines"] == 0
    assert read_manifest(manifest, dataset) == []
