from __future__ import annotations

import pytest
from tests.vision.sinks.made import Given, context, frame, reading

from mien.errors import MienError
from mien.reports.timeline_sink import TimelineSink


def test_photos_have_no_timeline(tmp_path):
    with pytest.raises(MienError, match="photos have no timeline"):
        TimelineSink.open(str(tmp_path / "t.html"), context(Given("photos")))
    assert list(tmp_path.iterdir()) == []


def test_photos_among_videos_are_left_out(tmp_path):
    with TimelineSink(tmp_path / "t.html", name="party.mp4") as sink:
        sink.add(frame(source="a.jpg"), [reading(frame(), track=None)])
    assert sink.saved == []
    with TimelineSink(tmp_path / "t.html", name="party.mp4") as sink:
        sink.add(frame(source="a.jpg"), [reading(frame(), track=None)])
        for index in range(3):
            sink.add(frame(index, index / 2), [reading(frame(index, index / 2), track=7)])
    text = (tmp_path / "t.html").read_text("utf-8")
    assert "party.mp4" in text
    assert "#7" in text
    assert sink.saved == [tmp_path / "t.html"]
