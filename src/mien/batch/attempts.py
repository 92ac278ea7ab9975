"""Find the picture that ends its process, such as by too little memory, and leave it out.

A note beside the results counts how often a part was begun. From the third time on the part is read
one picture at a time, and the note says which; a picture at which two processes ended is left out.
"""

from __future__ import annotations

import json
from typing import Final

from mien.batch.stores import join, store_of

FOLDER: Final = "_attempts"
CAREFUL_FROM: Final = 3  # attempts; the first ones may have ended for other reasons
_MOST_ENDS: Final = 2

REASON: Final = (
    "the process that read it ended twice (too little memory, or a defect of a decoder); it was "
    "left out"
)


class Attempts:
    """The attempts at a part.

    Args:
        out: path or address of the results.
        part: name of the part's file.
    """

    def __init__(self, out: str, part: str) -> None:
        self._path = join(out, f"{FOLDER}/{part}.json")
        self._store = store_of(out)
        self._begun = 0
        self._item: int | None = None
        self._ends: dict[int, int] = {}
        try:
            note = json.loads(self._store.read(self._path))
            self._begun, self._item = int(note["begun"]), note["item"]
            self._ends = {int(item): int(count) for item, count in note["ends"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # there was none; a damaged note only costs another attempt
        self._begun += 1
        if self._item is not None:
            self._ends[self._item] = self._ends.get(self._item, 0) + 1
            self._item = None
        self._write()

    @property
    def is_careful(self) -> bool:
        """Whether this attempt reads one picture at a time."""
        return self._begun >= CAREFUL_FROM

    def before(self, item: int) -> str:
        """Note a picture that is about to be read; return why it is left out, or nothing."""
        if self._ends.get(item, 0) >= _MOST_ENDS:
            return REASON
        self._item = item
        self._write()
        return ""

    def finished(self) -> None:
        """Forget the attempts: the part's file is complete."""
        self._store.delete(self._path)

    def _write(self) -> None:
        note = {"begun": self._begun, "item": self._item, "ends": self._ends}
        self._store.write(self._path, json.dumps(note).encode())
