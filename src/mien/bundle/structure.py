"""Refuse an ONNX file that can do more than compute, before ONNX Runtime opens it.

A graph inside of a node makes loops, which may have no end. A function that calls functions grows
without bound when it is inserted. Data in other files are read from wherever the file says. Bundles
have none of these. The file is read as its protobuf messages, because reading faces needs no onnx.

Source: onnx.proto of ONNX 1.17, for the numbers of the fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

# The fields of a message that hold messages in which something can be refused.
_MESSAGES: Final = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 10: "tensor", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_REFUSED: Final = {
    ("model", 25): "it has a function of its own",
    ("attribute", 6): "a node of it holds a graph of its own, such as a loop",
    ("attribute", 11): "a node of it holds a graph of its own, such as a loop",
    ("tensor", 13): "it keeps data in another file",
    ("tensor", 14): "it keeps data in another file",
}
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5  # protobuf's types of fields


def refused_part(content: bytes) -> str:
    """Return what an ONNX file has that no Bundle has; empty if there is nothing of the kind.

    Args:
        content: content of the file.

    Raises:
        ValueError: if it is not a protobuf message.
    """
    waiting = [("model", 0, len(content))]
    while waiting:
        message, start, end = waiting.pop()
        inside = _MESSAGES[message]
        for number, value, length in _fields(content, start, end):
            refused = _REFUSED.get((message, number))
            if refused and (length or value):  # 0 is the data's usual place: this file
                return refused
            if length and number in inside:
                waiting.append((inside[number], value, value + length))
    return ""


def _fields(content: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, value and length of each field; of bytes, the value is their position."""
    at = start
    while at < end:
        tag, at = _varint(content, at, end)
        number, kind = tag >> 3, tag & 7
        value, length = 0, 0
        if kind == _VARINT:
            value, at = _varint(content, at, end)
        elif kind == _BYTES:
            length, value = _varint(content, at, end)
            at = value + length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("no protobuf message")
        if at > end or not number:
            raise ValueError("no protobuf message")
        yield number, value, length


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the integer at a position, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("no protobuf message")
