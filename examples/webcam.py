"""Show the readings of the camera in a window until q is pressed, then count the expressions.

python webcam.py                  the first camera
python webcam.py party.mp4        a video
"""

import sys
from collections import Counter

import mien


def main(source: str = "0", window: bool = True) -> Counter:
    """Read every frame; return the number of readings of each emotion, uncertain ones left out."""
    seen = Counter()
    reader = mien.Reader("mien-xs", threads=2)
    opened = mien.open_source(int(source) if source.isdigit() else source)
    show = mien.sinks.WindowSink(is_live=source.isdigit()) if window else None
    for frame, readings in reader.stream(opened):
        seen.update(one.emotion for one in readings if not one.uncertain)
        if show:
            show.add(frame, readings)
            if show.done:  # q, Esc, or the window was closed
                break
    return seen


if __name__ == "__main__":
    print(dict(main(*sys.argv[1:2])))
