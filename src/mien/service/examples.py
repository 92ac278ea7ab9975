"""Examples of requests in the OpenAPI document, which run as they stand."""

from __future__ import annotations

import base64
from typing import Any, Final

import cv2

from mien.images.decode import read_image
from mien.vision.sample import sample_photo

_AROUND_FACE: Final = (slice(20, 260), slice(110, 350))  # rows and columns of the sample photo
_JPEG_QUALITY: Final = 70


def request_body(*, crops: bool) -> dict[str, Any]:
    """Return the description of the body that both reading routes take.

    Args:
        crops: whether each image is one face crop.
    """
    what = "Face crops" if crops else "Photos"
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
    one = {"schema": {"type": "string", "format": "binary"}}
    example = {"images": [{"name": "portrait.jpg", "data": _example_image()}]}
    return {
        "required": True,
        "description": f"{what}, in one of three forms.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["images"],
                    "properties": {"images": files},
                }
            },
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ReadRequest"},
                "example": example,
            },
            "image/*": one,
            "application/octet-stream": one,
        },
    }


def _example_image() -> str:
    """Return a face of the sample photo as a JPEG in Base64, of about 6 kB."""
    part = read_image(sample_photo())[_AROUND_FACE]
    encoded = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return base64.b64encode(encoded.tobytes()).decode("ascii")
