"""Text from outside, made safe for a terminal, a spreadsheet and Markdown."""

from __future__ import annotations

import json
import re

import pytest

from mien.io.text import csv_cell, markdown_text, one_line, read_csv_cell, safe_json

ACTS = [
    "\x1b[2J",  # clears the screen
    "\x1b]0;title\x07",
    "\x9b31m",  # the same escape in one character
    "a\rb",
    "a\nmien: all is well",
    "a\x85b",
    "a\u2028b",
    "a\u202egnp.exe",  # shown as aexe.png
    "a\u2066b",
    "a\x7fb",
    "caf\udce9",  # a byte that is not UTF-8
]
FORMULAS = [
    "=1+1",
    "+1+1",
    "-",
    "-cmd",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "'=1",
    "''=1",
    "=-1",
]
PLAIN = ["", "a", "-1", "+0.5", "-1e-3", "'", "'a", "a=b", "–", "é"]


@pytest.mark.parametrize("text", ACTS)
def test_nothing_acts_on_a_terminal(text):
    line = one_line(text)
    assert line.isprintable()
    assert line != text
    assert one_line(line) == line


@pytest.mark.parametrize(
    "text", ["plain", "été 中文 👨‍👩‍👧", "a\\b", "עברית", "[b] :smile:", "a\u00a0b"]
)
def test_letters_of_any_script_stay(text):
    assert one_line(text) == text


def test_escapes_are_readable():
    assert one_line("a\x1b[1m\n\u202e\udce9\U000e0041") == "a\\x1b[1m\\n\\u202e\\udce9\\U000e0041"


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text):
    cell = csv_cell(text)
    assert cell == f"'{text}"
    assert read_csv_cell(cell) == text


@pytest.mark.parametrize("value", [*PLAIN, None, 3, -0.5, True])
def test_other_cells_stay(value):
    assert csv_cell(value) is value
    if isinstance(value, str):
        assert read_csv_cell(value) == value


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "![](http://example.com/seen.png)",
        "[here](javascript:alert(1))",
        "a|b",
        "`a`",
        "a_b_c *d* ~~e~~",
        "&lt;b&gt;",
        "a\\|b",
        "a\n\n# b",
        "\x1b[2J",
    ],
)
def test_markdown_shows_the_text_itself(text):
    shown = markdown_text(text)
    assert "\n" not in shown
    assert "<" not in shown
    assert not re.search(r"(?<!\\)(\\\\)*[\[\]`*_|~!]", shown)
    back = re.sub(r"\\([\\\[\]`*_|~!])", r"\1", shown)
    assert back.replace("&lt;", "<").replace("&amp;", "&") == one_line(text)


@pytest.mark.parametrize("text", ACTS)
def test_json_stays_json_and_does_not_act(text):
    shown = safe_json({text: [text]})
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert json.loads(shown) == {text: [text]}


def test_json_keeps_letters():
    assert safe_json({"é": "中"}) == '{\n  "é": "中"\n}'
