"""The page of a video's timeline: who showed which expression, when, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mien.io.files import write_text
from mien.labels import named_labels
from mien.reports.pages import embed, render_page
from mien.reports.svg import INK, STYLE, new_figure
from mien.vision.timeline import BIN_S, Person, Timeline

_MOST_PEOPLE: Final = 20  # drawn people: those on screen longest
_COLUMNS: Final = 240  # steps of a curve; a page cannot show more


def write_timeline(timeline: Timeline, source: str, path: Path) -> None:
    """Write a page with the timeline: one file that opens anywhere and holds no images.

    Args:
        timeline: timeline of the whole video.
        source: display name of the video.
        path: path of the page.
    """
    people = [person for person in timeline.people() if person.seconds > 0]
    colours = named_labels(timeline.names).colours if timeline.names else ()
    page = render_page(
        "timeline.html",
        source=source,
        seconds=timeline.seconds,
        frames=timeline.frames,
        people=people,
        drawn=[
            (person, embed(draw_person(person, timeline.seconds, colours)))
            for person in people[:_MOST_PEOPLE]
        ],
        columns=timeline.columns,
        colours=dict(zip(timeline.names, colours, strict=True)),
    )
    write_text(path, page)


@mpl.rc_context({**STYLE, "axes.grid": False})
def draw_person(person: Person, seconds: float, colours: Sequence[str]) -> Figure:
    """Draw the mean probabilities of a person as stacked areas over time.

    Args:
        person: person to draw.
        seconds: duration of the video.
        colours: colour of each class.
    """
    times, shares = person.curve()
    step = max(1, -(-int(seconds / BIN_S + 1) // _COLUMNS))
    figure, axes = new_figure(1.9)
    # Areas are interrupted where the face is missing for longer than a step.
    parts = np.split(np.arange(len(times)), np.nonzero(np.diff(times) > 2 * BIN_S * step)[0] + 1)
    for part in parts:
        groups = [part[start : start + step] for start in range(0, len(part), step)]
        ends = [times[part[0]] - BIN_S / 2, *(times[group[-1]] + BIN_S / 2 for group in groups)]
        means = np.stack([shares[group].mean(0) for group in groups])
        axes.stackplot(ends, np.concatenate([means, means[-1:]]).T, colors=colours, step="post")
    axes.set_xlim(0, max(seconds, BIN_S))
    axes.set_ylim(0, 1)
    axes.set_xlabel("seconds")
    axes.tick_params(colors=INK)
    axes.set_yticks([])
    return figure
