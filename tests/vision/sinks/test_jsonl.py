from __future__ import annotations

import io
import json

import pytest
from tests.vision.sinks.made import NAME, frame, reading

from mien.vision.sinks.jsonl import JsonlSink, no_face


@pytest.mark.parametrize("all_frames", [False, True])
def test_json_lines_are_readings(all_frames, tmp_path):
    shown = [frame(0, 0.0), frame(1, 0.1)]
    with JsonlSink(tmp_path / "读.jsonl", all_frames=all_frames) as sink:
        sink.add(shown[0], [])
        sink.add(shown[1], [reading(shown[1]), reading(shown[1], 2)])
    lines = (tmp_path / "读.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    faces = [reading(shown[1]).as_dict(), reading(shown[1], 2).as_dict()]
    assert records == ([no_face(shown[0]), *faces] if all_frames else faces)
    assert {tuple(record) for record in records} == {tuple(faces[0])}
    assert no_face(shown[1])["seconds"] == 0.1
    assert no_face(shown[1])["emotion"] is None


def test_json_lines_go_to_a_stream_at_once_and_leave_it_open():
    stream = io.TextIOWrapper(raw := io.BytesIO(), encoding="ascii")
    with JsonlSink(stream) as sink:
        sink.add(frame(), [reading(frame())])
        assert json.loads(raw.getvalue())["source"] == NAME
    assert not stream.closed
    assert sink.saved == []
