"""Text from outside, such as names of files, made safe for terminals, spreadsheets and Markdown.

A name may contain anything: escape sequences that a terminal obeys, formulas that a spreadsheet
computes, markup that a page renders. Each function shows the text itself instead.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeVar

T = TypeVar("T")

# Control characters (C0, DEL, C1), line and paragraph separators, marks that change the direction
# of text, tags, and surrogates, which stand for bytes that are not UTF-8.
_ACTING: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff"
    "\U000e0000-\U000e007f]"
)
_ACTING_IN_LINES: Final = re.compile(_ACTING.pattern.replace("\x00-\x1f", "\x00-\t\x0b-\x1f"))

# A spreadsheet computes a cell that begins so; the apostrophes are those of `csv_cell` itself.
# Source: OWASP, CSV Injection.
_FORMULA: Final = re.compile(r"'*\s*[=+\-@\t\r\n]")

_MARKDOWN: Final = re.compile(r"[\\\[\]`*_|~!]")


def one_line(text: str) -> str:
    """Return text as one line that a terminal shows and does not obey, with escapes as in Python.

    A backslash stays as it is, so the text is for people and cannot be read back.
    """
    return _ACTING.sub(_escape, text)


def plain_lines(text: str) -> str:
    """Return text as `one_line` does, but with its line breaks."""
    return _ACTING_IN_LINES.sub(_escape, text)


def safe_json(value: Any) -> str:
    """Return plain data as indented JSON, with characters that act on a terminal as escapes."""
    return _ACTING_IN_LINES.sub(_escape_json, json.dumps(value, indent=2, ensure_ascii=False))


def csv_cell(value: T) -> T | str:
    """Return a cell of a CSV file that no spreadsheet takes for a formula.

    Text that begins with ``=``, ``+``, ``-``, ``@`` or white space before one gets an apostrophe
    in front, unless it is a number; everything else stays. `read_csv_cell` removes it again.
    """
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def read_csv_cell(cell: str) -> str:
    """Return the text from which `csv_cell` made a cell."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell


def markdown_text(text: str) -> str:
    """Return text as one line of Markdown that shows it, without links, pictures and HTML."""
    line = _MARKDOWN.sub(r"\\\g<0>", one_line(text))
    return line.replace("&", "&amp;").replace("<", "&lt;")


def _is_formula(text: str) -> bool:
    if not _FORMULA.match(text):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return text != text.strip()


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "backslashreplace").decode()


def _escape_json(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]
