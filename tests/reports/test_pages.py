from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest

from mien.reports.pages import TextTable, render_text, show_duration, show_large, show_p


def test_markdown_keeps_a_table_whole():
    table = TextTable("A", ("x", "y"), (("a|b", "1"),), "note")
    assert table.to_markdown() == "## A\n\n| x | y |\n| --- | ---: |\n| a\\|b | 1 |\n\nnote\n"


@pytest.mark.parametrize(
    ("number", "shown"),
    [(None, "–"), (0, "0"), (999, "999"), (683_751, "684 k"), (22_487_936, "22.5 M"), (3e9, "3 G")],
)
def test_large_numbers(number, shown):
    assert show_large(number) == shown


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((48, 48), (48, 48)), ((112, 112, 3), (112, 112, 3)), ((224, 224, 3), (112, 112, 3))],
)
def test_a_face_crop_is_shown_in_its_colours_and_no_larger_than_pages_show_it(shape, shown):
    crop = np.full(shape, 10, np.uint8)
    crop[..., 0] = 200 if len(shape) == 3 else 10  # red
    text = str(render_text("{{ crop|crop }}", crop=crop))
    assert text.startswith("data:image/png;base64,")
    png = np.frombuffer(base64.b64decode(text.split(",")[1]), np.uint8)
    picture = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    assert picture.shape == shown
    assert picture[0, 0].tolist() == ([10, 10, 200] if len(shape) == 3 else 10)


def test_p_values():
    assert [show_p(value) for value in (0.0001, 0.001, 0.0456, 1.0)] == [
        "<0.001", "0.001", "0.046", "1.000",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (7260, "2 h 01 min")],
)
def test_durations(seconds, shown):
    assert show_duration(seconds) == shown
