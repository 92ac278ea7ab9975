"""Measure the service: speed, batches, memory and overload, in processes of its own.

    python benchmarks/service.py [--seconds 10] [--requests 2000] [--detector-model PATH]

The server runs as `mien serve` in a child process, and the load comes from this one, on the same
cores. Adds its rows to ``benchmarks/results/service.csv``. Other running programs slow all of it
down; say in --note which ones there were.
"""

import argparse
import http.client
import json
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.bundle.benchmark import measure_speed
from mien.bundle.bundle import Bundle
from mien.vision.sample import sample_photo
from record import add_rows

CLIENTS = 32
BATCH = 32
OVERLOAD = 10  # times the clients that the queue holds
JPEG = "image/jpeg"
Request = tuple[str, bytes, str]  # path, body, content type


class Server:
    """A server that is running."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def serving(*flags: str) -> Iterator[Server]:
    command = [sys.executable, "-c", "from mien.cli.main import main; main()", "serve"]
    process = subprocess.Popen([*command, "--port", "0", *flags], stderr=subprocess.PIPE, text=True)
    try:
        port = 0
        for line in process.stderr or ():
            if found := re.search(r"running on http://\S+:(\d+)", line):
                port = int(found[1])
                break
        # The log is read on, or its pipe would fill.
        threading.Thread(target=lambda: list(process.stderr or ()), daemon=True).start()
        yield Server(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def ask(
    server: Server, request: Request, until: float, most: float = 1e9
) -> list[tuple[int, float]]:
    """Send a request again and again on one connection; return statuses and seconds."""
    path, body, kind = request
    found: list[tuple[int, float]] = []
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    while time.monotonic() < until and len(found) < most:
        started = time.perf_counter()
        try:
            connection.request("POST", path, body, {"Content-Type": kind})
            reply = connection.getresponse()
            reply.read()
            found.append((reply.status, time.perf_counter() - started))
            if reply.status == 503:
                time.sleep(0.1)  # a tenth of what Retry-After asks for
        except (OSError, http.client.HTTPException):
            found.append((0, time.perf_counter() - started))
            connection.close()
    connection.close()
    return found


def load(
    server: Server, request: Request, *, clients: int, seconds: float, requests: int | None = None
) -> tuple[list[tuple[int, float]], float]:
    """Return what all clients got, and the seconds that they took."""
    started = time.monotonic()
    most = 1e9 if requests is None else requests / clients
    with ThreadPoolExecutor(clients) as pool:
        jobs = [pool.submit(ask, server, request, started + seconds, most) for _ in range(clients)]
        found = [one for job in jobs for one in job.result()]
    return found, time.monotonic() - started


def figures(found: list[tuple[int, float]], seconds: float) -> dict[str, Any]:
    statuses = Counter(status for status, _ in found)
    good = [1e3 * taken for status, taken in found if status == 200]
    return {
        "requests": len(found),
        "statuses": json.dumps({str(key): statuses[key] for key in sorted(statuses)}),
        "per_second": round(len(good) / seconds, 1),
        "p50_ms": round(statistics.median(good), 1),
        "p95_ms": round(float(np.percentile(good, 95)), 1),
    }


def photo() -> Request:
    """A photo of 640x480 with one face."""
    image = cv2.imread(str(sample_photo()))[:480, :640]
    return "/v1/read", cv2.imencode(".jpg", image)[1].tobytes(), JPEG


def crops(bundle: Bundle) -> Request:
    """A request of 32 face crops as PNG."""
    generator = np.random.default_rng(0)
    parts = []
    for number in range(BATCH):
        face = cv2.resize(generator.integers(0, 256, (12, 12), np.uint8), bundle.crop.shape[:2])
        name = f'Content-Disposition: form-data; name="images"; filename="{number}.png"'
        content = cv2.imencode(".png", face)[1].tobytes()
        parts.append(f"--x\r\n{name}\r\n\r\n".encode() + content + b"\r\n")
    return "/v1/read/crops", b"".join(parts) + b"--x--\r\n", "multipart/form-data; boundary=x"


def recovery_s(server: Server, request: Request) -> float:
    """Return the seconds until a request is answered again in less than a second."""
    started = time.monotonic()
    while True:
        ((status, taken),) = ask(server, request, started + 60, 1)
        if status == 200 and taken < 1:
            return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--requests", type=int, default=2000, help="of the measurement of memory")
    parser.add_argument("--model", default="mien-s")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--detector-model", default=None, help="YuNet's file")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args()
    flags = ["--model", options.model, "--threads", str(options.threads)]
    if options.detector_model:
        flags += ["--detector-model", options.detector_model]
    rows: list[dict[str, Any]] = []

    def tell(what: str, **about: Any) -> None:
        rows.append({"what": what, **about, "model": options.model, "threads": options.threads,
                     "note": options.note})  # fmt: skip
        print(rows[-1], flush=True)

    bundle = Bundle(options.model, threads=options.threads)
    with serving(*flags) as server:
        one, many = photo(), crops(bundle)
        load(server, one, clients=4, seconds=2)
        tell(
            "read, 32 clients",
            **figures(*load(server, one, clients=CLIENTS, seconds=options.seconds)),
        )
        shares = []
        for _ in range(3):  # alternately, since the machine's speed varies
            alone = measure_speed(bundle, batch=BATCH, seconds=options.seconds / 3).faces_per_second
            got = figures(*load(server, many, clients=4, seconds=options.seconds / 3))
            shares.append((BATCH * got["per_second"] / alone, got, alone))
        share, got, alone = sorted(shares, key=lambda each: each[0])[1]
        tell("crops, batches of 32", **got, share_of_bench=round(share, 3),
             faces_per_second=round(BATCH * got["per_second"]), bench=round(alone))  # fmt: skip
        before = server.memory_mb()
        found, seconds = load(server, one, clients=8, seconds=3600, requests=options.requests)
        tell("memory", **figures(found, seconds), memory_mb_before=round(before, 1),
             memory_mb_after=round(server.memory_mb(), 1))  # fmt: skip
        found, seconds = load(server, one, clients=OVERLOAD * CLIENTS, seconds=options.seconds)
        after = recovery_s(server, one)
        tell("overload, 320 clients", **figures(found, seconds), recovery_s=round(after, 2),
             memory_mb_after=round(server.memory_mb(), 1))  # fmt: skip
    add_rows("service", rows)


if __name__ == "__main__":
    main()
