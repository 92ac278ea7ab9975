"""Figures of the service for Prometheus."""

from __future__ import annotations

import os
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# Folder in which several workers keep their figures, so that any of them can tell the sums.
FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6)
_FACES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The figures of one worker."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "mien_requests", "Requests by path and status.", ["path", "status"], registry=registry
        )
        self.seconds = Histogram(
            "mien_request_seconds",
            "Time from a request's headers to the end of its reply.",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.images = Counter("mien_images", "Images that were read.", registry=registry)
        self.faces = Counter("mien_faces", "Faces that were read.", registry=registry)
        self.batches = Histogram(
            "mien_batch_faces",
            "Faces in each call of the network.",
            buckets=_FACES,
            registry=registry,
        )
        self.frames = Counter(
            "mien_stream_frames",
            "Frames of streams, by whether they were read, dropped for a newer one, or refused.",
            ["fate"],
            registry=registry,
        )
        self.in_progress = Gauge(
            "mien_requests_in_progress",
            "Requests that hold a place in the queue.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.streams = Gauge(
            "mien_streams", "Open streams.", registry=registry, multiprocess_mode="livesum"
        )

    def text(self) -> bytes:
        """Return the figures in Prometheus's text format, those of all workers together."""
        if not os.environ.get(FOLDER_VARIABLE):
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)

    def close(self) -> None:
        """Forget the gauges of this worker."""
        if os.environ.get(FOLDER_VARIABLE):
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]
