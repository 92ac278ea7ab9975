"""The page of a video's timeline: which expressions each followed face showed, and when."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from mien.io.files import write_text
from mien.labels import named_labels
from mien.reports.pages import render_page, show_duration
from mien.vision.timeline import BIN_S, SHORTEST_S, Person, Timeline

_MOST_DRAWN: Final = 20  # drawn faces: those on screen longest
_COLUMNS: Final = 240  # steps of a drawing; a page cannot show more
_MOST_MARKS: Final = 5  # on the scale of time; more do not fit on a phone
_ROOM: Final = 82  # percent of the scale: a phone has no room for the time of a later mark
_HEIGHT: Final = 100  # of a drawing, in its own units: percent
_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


def write_timeline(timeline: Timeline, source: str, path: Path) -> None:
    """Write a page with the timeline: one file that opens anywhere and holds no images.

    Args:
        timeline: timeline of the whole video.
        source: display name of the video.
        path: path of the page.
    """
    people = [person for person in timeline.people() if person.seconds > 0]
    faces = [person for person in people if person.seconds >= SHORTEST_S]
    colours = named_labels(timeline.names).colours if timeline.names else ()
    length = max(timeline.seconds, BIN_S)
    step_s = timeline.seconds / max(1, timeline.frames - 1)
    page = render_page(
        "timeline.html",
        source=source,
        seconds=timeline.seconds,
        frames=timeline.frames,
        verdict=_verdict(timeline, faces, brief=len(people) - len(faces)),
        faces=faces,
        brief=people[len(faces) :],
        shortest=SHORTEST_S,
        drawings=[
            (face, list(zip(colours, draw_areas(face, length, step_s), strict=True)))
            for face in faces[:_MOST_DRAWN]
        ],
        length=length,
        show_length=show_length,
        show_time=show_time,
        marks=[(100 * seconds / length, show_time(seconds)) for seconds in time_marks(length)],
        room=_ROOM,
        columns=timeline.columns,
        colours=dict(zip(timeline.names, colours, strict=True)),
    )
    write_text(path, page)


def draw_areas(face: Person, seconds: float, step_s: float) -> list[str]:
    """Return the mean probabilities over time as stacked areas, one SVG path per class.

    A path is made of rectangles, 240 at most. Each is as wide as the time for which the face was on
    screen, so that a gap is a gap in a video of any length.

    Args:
        face: face to draw.
        seconds: duration of the video.
        step_s: usual time from frame to frame, in seconds. A face that is missing for up to two
            such steps leaves no gap.

    Shape: the paths' x runs from 0 to `seconds`, their y from 100 (probability 0) up to 0.
    """
    numbers = np.array(sorted(face.bins))
    starts = numbers * BIN_S
    ends = starts + max(BIN_S, step_s)
    joined = np.diff(starts) <= max(BIN_S, 2 * step_s)
    ends[:-1] = np.where(joined, starts[1:], ends[:-1])
    probabilities = face.curve()[1]
    columns = numbers // max(1, -(-int(seconds / BIN_S + 1) // _COLUMNS))
    paths: list[list[str]] = []
    for column in np.unique(columns):
        part = columns == column
        start = starts[part][0]
        end = start + (ends - starts)[part].sum()
        edges = _HEIGHT * (1 - np.cumsum([0.0, *probabilities[part].mean(0)]))
        paths.append(
            [
                f"M{start:g} {low:.1f}H{end:g}V{max(high, 0):.1f}H{start:g}z"
                for low, high in pairwise(edges)
            ]
        )
    return ["".join(pieces) for pieces in zip(*paths, strict=True)]


def time_marks(seconds: float) -> list[float]:
    """Return round times for a scale from 0 to `seconds`, five at most."""
    whole_hours = 3600 * -(-seconds // (3600 * (_MOST_MARKS - 1)))
    step = next((step for step in _STEPS_S if seconds / step < _MOST_MARKS), whole_hours)
    return np.arange(0, seconds, step).tolist()


def show_time(seconds: float) -> str:
    """Return a time in a video, such as ``1:05``, or ``1:02:05`` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show_length(seconds: float) -> str:
    """Return a duration, below a minute with a decimal: ``12.5 s`` or ``2 min 05 s``."""
    return f"{seconds:.1f} s" if seconds < 59.95 else show_duration(seconds)


def _verdict(timeline: Timeline, faces: list[Person], *, brief: int) -> str:
    """Return the result in a sentence."""
    if not faces:
        return (
            f"No face could be followed for {SHORTEST_S} seconds."
            if brief
            else "No face was found."
        )
    nobody = timeline.columns[-1]  # no certain answer
    longest = [one for one in faces if one.seconds > faces[0].seconds - 0.5]
    face = min(longest, key=lambda one: one.shares().get(nobody, 0.0))
    answer, share = max(face.shares().items(), key=lambda item: item[1])
    said = "gets no certain answer" if answer == nobody else f"is read as {answer}"
    count = "One face was" if len(faces) == 1 else f"{len(faces):,} faces were"
    which = "it" if len(faces) == 1 else f"the one that is longest on screen, #{face.track},"
    return (
        f"{count} followed in {show_duration(timeline.seconds)} of video; {which} {said} for "
        f"{share:.0%} of its {show_length(face.seconds)}."
    )
