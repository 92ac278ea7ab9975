from __future__ import annotations

import numpy as np
from rich.console import Console

from mien.cli import readings
from mien.labels import FER2013
from mien.vision.reading import Reading
from mien.vision.sources.base import Frame, Source


class Film(Source):
    def __iter__(self):
        yield from ()

    def close(self):
        pass


def test_the_bar_keeps_its_room_next_to_many_faces(monkeypatch):
    console = Console(width=80, force_terminal=True, color_system=None, stderr=True)
    monkeypatch.setattr(readings, "err", console)
    film = Film("film.mp4", "video", total=1)
    film.dropped = 12_345
    found = [
        Reading(
            "film.mp4", (0, 0, 9, 9), 1.0, "surprise", dict.fromkeys(FER2013.names, 0.4), track=n
        )
        for n in (1, 22, 333)
    ]
    screen = readings.Screen(film)
    with console.capture() as shown:
        screen.add(Frame(np.zeros((9, 9), np.uint8), "film.mp4", 0, 0.0), found)
        screen._progress.refresh()
    line = next(one for one in shown.get().splitlines() if "reading" in one)
    shown_text = line[line.index("reading") :]
    assert len(shown_text) <= 80
    assert shown_text.startswith(f"reading {'━' * 20} 1  ")
    assert "12,345 dropped  #1 surprise" in shown_text
    assert "…" in shown_text
    screen._progress.stop()
