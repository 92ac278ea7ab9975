"""What tests ask about a page."""

from __future__ import annotations

from html.parser import HTMLParser


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
