"""What tests ask about a page."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np


def picture(html: str) -> np.ndarray:
    """Return the first image of a piece of a page, blue-green-red."""
    found = re.search(r"data:image/png;base64,([^\"]+)", html)
    assert found
    return cv2.imdecode(np.frombuffer(base64.b64decode(found[1]), np.uint8), cv2.IMREAD_COLOR)


class Page(HTMLParser):
    """A parsed HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.scripts = 0
        self.images = 0
        self.images_without_words = 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("src", "href", "xlink:href"):
            if name in values:
                self.addresses.append(values[name])
        self.scripts += tag == "script"
        self.images += tag == "img"
        self.images_without_words += tag == "img" and not values.get("alt")
