"""Batches, overload, several workers and the end of a real server."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from tests.service.conftest import PHOTO, png, running
from tests.waiting import wait_until

from mien.service.batching import Admission, Batcher
from mien.service.problems import Problem

KIND = {"Content-Type": "image/jpeg"}


def sum_of(crops):
    """A network that is slow, and whose answer tells the crop."""
    time.sleep(0.05)
    return crops.sum((1, 2), dtype=np.float32)[:, None]


class TestBatcher:
    def test_jobs_of_the_same_moment_share_a_call_and_get_their_own_answers(self):
        sizes = []
        batcher = Batcher(sum_of, most_waiting=100, observe=sizes.append)
        jobs = [np.full((n % 3 + 1, 2, 2), n, np.uint8) for n in range(30)]
        answers = [batcher.submit(job) for job in jobs]
        for number, (job, answer) in enumerate(zip(jobs, answers, strict=True)):
            assert answer.result(10).tolist() == [[4.0 * number]] * len(job)
        batcher.close()
        assert sum(sizes) == sum(map(len, jobs))
        assert len(sizes) <= 3

    def test_more_than_may_wait_are_refused(self):
        free = threading.Event()

        def wait(crops):
            free.wait(10)
            return crops.sum((1, 2))[:, None]

        batcher = Batcher(wait, most_waiting=2, observe=lambda _: None)
        crop = np.ones((1, 2, 2), np.uint8)
        taken = [batcher.submit(crop)]
        wait_until(lambda: not batcher._jobs.qsize())
        taken += [batcher.submit(crop), batcher.submit(crop)]
        with pytest.raises(Problem, match="too many faces"):
            batcher.submit(crop)
        free.set()
        batcher.close()  # what was taken is answered first
        assert [answer.result(0).tolist() for answer in taken] == [[[4]]] * 3
        assert not batcher.is_alive

    def test_a_failure_of_the_network_reaches_its_requests_and_no_other(self):
        def odd(crops):
            if crops.max() > 5:
                raise ValueError("odd")
            return crops.sum((1, 2))[:, None]

        batcher = Batcher(odd, most_waiting=9, observe=lambda _: None)
        with pytest.raises(ValueError, match="odd"):
            batcher.submit(np.full((1, 2, 2), 9, np.uint8)).result(10)
        assert batcher.submit(np.ones((1, 2, 2), np.uint8)).result(10).tolist() == [[4]]
        batcher.close()

    def test_jobs_that_nobody_awaits_are_not_computed(self):
        sizes = []
        batcher = Batcher(sum_of, most_waiting=9, observe=sizes.append)
        crop = np.ones((1, 2, 2), np.uint8)
        first = batcher.submit(crop)
        wait_until(lambda: not batcher._jobs.qsize())
        batcher.submit(crop).cancel()
        batcher.submit(crop).result(10)
        batcher.close()
        assert first.result(0).tolist() == [[4]]
        assert sizes == [1, 1]


def test_admission_bounds_requests_and_bytes():
    admission = Admission(most=2, most_bytes=100)
    with admission.admit(500):  # one is taken whatever its size
        with pytest.raises(Problem), admission.admit(1):
            pass
    with admission.admit(60), admission.admit(40):
        with pytest.raises(Problem), admission.admit(0):
            pass
    assert (admission.requests, admission.bytes) == (0, 0)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A server that takes four requests at a time."""
    with running(tmp_path_factory.mktemp("small"), "--queue", 4) as server:
        yield server


def test_requests_of_the_same_moment_share_calls(small, crops):
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            sent = [
                pool.submit(
                    httpx.post,
                    f"{small.url}/v1/read/crops",
                    files=[("images", ("a.png", png(crop))) for crop in crops[:8]],
                    timeout=60,
                )
                for _ in range(4)
            ]
            assert {one.result().status_code for one in sent} == {200}
    text = httpx.get(f"{small.url}/metrics").text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert float(figures["mien_batch_faces_sum"]) == 96
    assert float(figures["mien_batch_faces_count"]) < 12


def test_overload_gives_only_200_and_503_and_passes(small):
    """32 clients at a server of four places: each request has its reply, and none piles up."""
    photo = png(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8))  # 900 kB
    statuses, until = Counter(), time.monotonic() + 1.5
    bad = []

    def ask():
        with httpx.Client(timeout=30) as client:
            while time.monotonic() < until:
                reply = client.post(
                    f"{small.url}/v1/read", content=photo, headers={"Content-Type": "image/png"}
                )
                statuses[reply.status_code] += 1
                if reply.status_code == 503 and (
                    reply.headers["retry-after"] != "1"
                    or reply.json()["type"] != "urn:mien:problem:busy"
                ):
                    bad.append(reply.text)

    with ThreadPoolExecutor(32) as pool:
        for done in [pool.submit(ask) for _ in range(32)]:
            done.result()
    assert set(statuses) == {200, 503}, statuses
    assert not bad
    started = time.monotonic()
    assert httpx.post(f"{small.url}/v1/read", content=PHOTO, headers=KIND).status_code == 200
    assert time.monotonic() - started < 2
    assert "mien_requests_in_progress 0.0" in httpx.get(f"{small.url}/metrics").text


def test_a_request_that_takes_too_long_is_given_up(tmp_path):
    with running(tmp_path, "--timeout", 0.001) as server:
        reply = httpx.post(f"{server.url}/v1/read", content=PHOTO, headers=KIND)
    assert reply.status_code == 503
    assert reply.json()["type"] == "urn:mien:problem:too-slow"
    assert reply.headers["retry-after"] == "1"


def test_a_stop_finishes_what_was_taken(tmp_path):
    photo = png(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8))
    with running(tmp_path) as server, ThreadPoolExecutor(6) as pool:
        sent = [
            pool.submit(
                httpx.post,
                f"{server.url}/v1/read",
                content=photo,
                headers={"Content-Type": "image/png"},
                timeout=60,
            )
            for _ in range(6)
        ]
        wait_until(
            lambda: "mien_requests_in_progress 6.0" in httpx.get(f"{server.url}/metrics").text
        )
        assert server.stop() == 0
        assert [one.result().status_code for one in sent] == [200] * 6
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/healthz")
    assert "Traceback" not in server.text()


@pytest.mark.slow
def test_several_workers_share_the_port_and_the_figures(tmp_path):
    with running(tmp_path, "--workers", 2) as server:
        wait_until(lambda: server.text().count("Application startup complete") == 2)
        for _ in range(12):
            reply = httpx.post(f"{server.url}/v1/read/crops", content=PHOTO, headers=KIND)
            assert reply.status_code == 200
        wait_until(
            lambda: (
                'path="/v1/read/crops",status="200"} 12.0'
                in httpx.get(f"{server.url}/metrics").text
            ),
            10,
        )
        assert server.stop() == 0
    assert "Traceback" not in server.text()
