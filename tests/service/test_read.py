"""Reading over HTTP, on a real server."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from tests.service.conftest import PHOTO, png, problem, running

import mien

LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def test_a_face_is_found_and_read_as_the_reader_reads_it(http):
    photo = mien.sample_photo().read_bytes()
    reply = http.post("/v1/read", files={"images": ("portraits.jpg", photo)})
    assert reply.status_code == 200
    body = reply.json()
    (result,) = body["results"]
    readings = mien.Reader("mien-xs").read(mien.sample_photo())
    assert len(readings) == result["faces_found"] >= 1
    # The detector's own threads round otherwise: boxes may differ by a pixel.
    for face, reading in zip(result["faces"], readings, strict=True):
        assert np.abs(np.array(face["box"]) - reading.box).max() <= 2
        assert face["emotion"] == reading.emotion
        assert list(face["probabilities"]) == LABELS
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert face["probability"] == max(face["probabilities"].values())
        assert face["uncertain"] == reading.uncertain
    assert (result["name"], result["width"], result["height"]) == ("portraits.jpg", 949, 512)
    assert body["model"] == "mien-xs"


def test_the_three_forms_of_a_body_are_read_alike(http):
    data = base64.b64encode(PHOTO).decode()
    replies = [
        http.post("/v1/read", files={"images": ("a.jpg", PHOTO)}),
        http.post("/v1/read", content=PHOTO, headers={"Content-Type": "image/jpeg"}),
        http.post("/v1/read", content=PHOTO, headers={"Content-Type": "application/octet-stream"}),
        http.post("/v1/read", json={"images": [{"data": data, "name": "a.jpg"}]}),
    ]
    results = [reply.json()["results"][0] for reply in replies]
    assert len(results[0]["faces"]) == 1
    assert [result["name"] for result in results] == ["a.jpg", "", "", "a.jpg"]
    for result in results[1:]:
        assert result["faces"] == results[0]["faces"]


def test_several_images_keep_their_order_and_names(http):
    empty = png(np.full((60, 80, 3), 120, np.uint8))
    files = [("images", ("one.png", empty)), ("images", ("two.jpg", PHOTO))]
    results = http.post("/v1/read", files=files).json()["results"]
    assert [result["name"] for result in results] == ["one.png", "two.jpg"]
    assert [len(result["faces"]) for result in results] == [0, 1]
    assert (results[0]["width"], results[0]["height"]) == (80, 60)


def test_crops_are_read_as_the_bundle_reads_them(http, crops):
    files = [("images", (f"{i}.png", png(crop))) for i, crop in enumerate(crops)]
    results = http.post("/v1/read/crops", files=files).json()["results"]
    expected = mien.Bundle("mien-xs").predict(crops)[1]
    found = [list(result["faces"][0]["probabilities"].values()) for result in results]
    assert np.abs(np.array(found) - expected).max() < 1e-3
    assert results[0]["faces"][0]["box"] == [0, 0, 48, 48]


def test_every_crop_that_cannot_be_decoded_is_named_in_order(http, crops):
    contents = [png(crop) for crop in crops]
    for number in (3, 20, 37):  # in each part of the crops that a thread takes
        contents[number] = b"no image"
    files = [("images", (f"{i}.png", content)) for i, content in enumerate(contents)]
    document = http.post("/v1/read/crops", files=files).json()
    assert document["type"] == "urn:mien:problem:not-an-image"
    assert [line.split(":")[0] for line in document["images"]] == [
        "image 3 (3.png)", "image 20 (20.png)", "image 37 (37.png)",
    ]  # fmt: skip


def test_the_model_card_tells_labels_scores_and_limits(http):
    card = http.get("/v1/model").json()
    assert (card["name"], card["labels"]) == ("mien-xs", LABELS)
    assert card["scores"][0]["protocol"]["split"]
    assert card["limits"] == {
        "body_bytes": 2 << 20, "pixels": 2_000_000, "images": 8, "crops": 64, "faces": 100,
    }  # fmt: skip
    assert "not feelings" in card["note"]
    assert str(Path.cwd()) not in json.dumps(card)


def test_more_faces_than_are_read_are_told(tmp_path):
    two = np.hstack([cv2.imdecode(np.frombuffer(PHOTO, np.uint8), 1)] * 2)
    with running(tmp_path, "--max-faces", 1) as server:
        (result,) = httpx.post(
            f"{server.url}/v1/read", content=png(two), headers={"Content-Type": "image/png"}
        ).json()["results"]
    assert (result["faces_found"], len(result["faces"])) == (2, 1)


def test_health_readiness_and_figures(http):
    assert http.get("/healthz").json() == {"status": "alive"}
    assert http.get("/readyz").json() == {"status": "ready"}
    http.post("/v1/read/crops", files={"images": ("a.jpg", PHOTO)})
    text = http.get("/metrics").text
    assert 'mien_requests_total{path="/v1/read/crops",status="200"}' in text
    assert "mien_batch_faces_bucket" in text
    assert "mien_requests_in_progress 0.0" in text


def test_a_face_of_the_openapi_example_is_found(http):
    document = http.get("/openapi.json").json()
    for path in ("/v1/read", "/v1/read/crops"):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        example = content["application/json"]["example"]
        (result,) = http.post(path, json=example).json()["results"]
        assert len(result["faces"]) == 1
        assert result["name"] == "portrait.jpg"


def test_every_part_that_the_openapi_document_names_is_in_it(http):
    text = http.get("/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named <= schemas.keys()
    assert {"ReadRequest", "ReadReply", "ProblemReply", "StreamReply"} <= schemas.keys()


def test_what_was_sent_is_neither_logged_nor_told_to_others(http, server):
    name = "a-secret-name.jpg"
    http.post("/v1/read", files={"images": (name, PHOTO)}, headers={"X-Request-ID": "mine-1"})
    http.post("/v1/read?token=hidden", files={"images": (name, b"junk")})
    (line,) = [line for line in server.lines() if line.get("request_id") == "mine-1"]
    assert (line["path"], line["status"], line["images"], line["faces"]) == ("/v1/read", 200, 1, 1)
    for secret in (name, "hidden", "127.0.0.1:5", base64.b64encode(PHOTO[:30]).decode()):
        assert secret not in server.text()


def test_a_request_id_that_is_odd_is_replaced(http):
    for given in ("a b", "x" * 65, "<script>"):
        assert http.get("/healthz", headers={"X-Request-ID": given}).headers[
            "x-request-id"
        ] not in (given, "")


def test_unknown_pages_and_methods_are_problems(http):
    problem(http.get("/v2/read"), 404, "not-found")
    reply = http.get("/v1/read")
    problem(reply, 405, "no-such-method")
    assert reply.headers["allow"] == "POST"


def test_every_reply_has_the_headers_that_browsers_obey(http):
    for path in ("/", "/healthz", "/nothing", "/v1/model"):
        headers = http.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert "unsafe-eval" not in headers["content-security-policy"].replace("wasm-unsafe", "")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
