"""What the routes share: one service, with its engine, its bounds and its key."""

from __future__ import annotations

from mien.service.batching import Admission
from mien.service.engine import Engine
from mien.service.metrics import Metrics
from mien.service.schemas import Limits, ModelReply
from mien.service.security import Key
from mien.service.settings import Settings


class Service:
    """One worker's parts.

    Args:
        settings: settings of the service.

    Raises:
        MienError: if there is no such Bundle or detector, or the key cannot be read or used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.key = Key(settings.read_key())
        self.metrics = Metrics()
        self.engine = Engine(settings, self.metrics)
        self.admission = Admission(most=settings.queue, most_bytes=settings.queue_mb << 20)
        self.streams = 0

    def card(self) -> ModelReply:
        """Return the model card."""
        bundle, settings = self.engine.bundle, self.settings
        return ModelReply.of(
            bundle.metadata,
            colours=dict(zip(bundle.labels, bundle.label_set.colours, strict=True)),
            detector=self.engine.detector.name,
            detector_note=self.engine.detector.note,
            limits=Limits(
                body_bytes=settings.max_body_mb << 20,
                pixels=settings.max_pixels,
                images=settings.max_images,
                crops=settings.max_crops,
                faces=settings.max_faces,
            ),
        )

    def close(self) -> None:
        """End the threads, once they have done what they took."""
        self.engine.close()
        self.metrics.close()
