"""A client of the service, for Python.

with mien.Client("http://127.0.0.1:8000") as client:
for reading in client.read("photo.jpg"):
print(reading.emotion, reading.box)
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import cv2
import numpy as np

from mien.errors import MienError, install_hint
from mien.images.decode import read_image_file
from mien.io.text import one_line
from mien.types import Image
from mien.vision.reading import Reading

try:
    import httpx
except ModuleNotFoundError:
    raise MienError(
        f"mien.Client needs httpx, which is not installed: {install_hint('httpx')}"
    ) from None

Picture = str | Path | bytes | Image  # path, content of an image file, or pixels

_MOST_DETAIL: Final = 500  # characters
_LONGEST_WAIT_S: Final = 10.0


class Client:
    """Reads faces by a service that ``mien serve`` runs; threads may share it.

    Args:
        url: address of the service.
        key: API key of the service; None if it needs none.
        timeout_s: time in which a reply must come, in seconds.
        retries: number of times that a request is sent again if the service is busy.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 5,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._url, self._retries = url, retries
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def read(self, picture: Picture) -> list[Reading]:
        """Return a reading of each face in a photo, the largest face first.

        Args:
            picture: path of an image file, its content, or pixels as uint8 (height, width, 3) in
                blue-green-red or gray (height, width).

        Raises:
            MienError: if the photo cannot be read, the service refuses it, or is not reached.
        """
        return self.read_many([picture])[0]

    def read_many(self, pictures: Sequence[Picture]) -> list[list[Reading]]:
        """Return the readings of several photos by one request, a list for each photo.

        Raises:
            MienError: if one of the photos cannot be read, or the service refuses the request.
        """
        return self._post("/v1/read", pictures)

    def read_crops(self, crops: Sequence[Picture]) -> list[Reading]:
        """Return the reading of each face crop; no face is searched for.

        Raises:
            MienError: if one of the crops cannot be read, or the service refuses the request.
        """
        return [reading for (reading,) in self._post("/v1/read/crops", crops)]

    def model(self) -> dict[str, Any]:
        """Return the model card: labels, scores with their protocols, limits of the service."""
        card: dict[str, Any] = self._send("GET", "/v1/model")
        return card

    def _post(self, path: str, pictures: Sequence[Picture]) -> list[list[Reading]]:
        if not pictures:
            return []
        names = [str(one) if isinstance(one, str | Path) else "" for one in pictures]
        files = [
            ("images", (Path(name).name or f"{number}", _content(one)))
            for number, (one, name) in enumerate(zip(pictures, names, strict=True))
        ]
        results = self._send("POST", path, files=files)["results"]
        return [
            [_reading(face, name, number) for face in result["faces"]]
            for number, (result, name) in enumerate(zip(results, names, strict=True))
        ]

    def _send(self, method: str, path: str, **options: Any) -> Any:
        for left in range(self._retries, -1, -1):
            try:
                reply = self._http.request(method, path, **options)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise MienError(
                    f"{self._url}: no reply ({type(error).__name__}: {one_line(str(error))}); is "
                    "`mien serve` running there?"
                ) from None
            if reply.status_code != 503 or not left:
                break
            wait_s = min(float(reply.headers.get("retry-after", 1)), _LONGEST_WAIT_S)
            time.sleep(wait_s * random.uniform(0.5, 1.5))  # so that clients do not come together
        if reply.is_success:
            return reply.json()
        raise MienError(f"{self._url}{path}: {reply.status_code} {_detail(reply)}")


def _content(picture: Picture) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, np.ndarray):
        return cv2.imencode(".png", picture)[1].tobytes()
    return read_image_file(Path(picture))


def _reading(face: dict[str, Any], name: str, item: int) -> Reading:
    known = {field: face[field] for field in face.keys() - {"probability"}}
    return Reading(**{**known, "box": tuple(face["box"]), "source": name, "item": item})


def _detail(reply: httpx.Response) -> str:
    try:
        document = reply.json()
        text = f"{document['title']}: {document['detail']}"
    except (ValueError, KeyError, TypeError):  # of a proxy in between
        text = reply.reason_phrase
    return one_line(text)[:_MOST_DETAIL]
