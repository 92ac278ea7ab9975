"""Photos to Readings: find the faces, crop them as in training, read them. Never imports torch."""

from mien.vision.reader import Reader, read
from mien.vision.reading import Reading

__all__ = ["Reader", "Reading", "read"]
