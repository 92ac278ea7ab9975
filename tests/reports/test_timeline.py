from __future__ import annotations

from tests.reports.page import Page
from tests.vision.test_timeline import seen, timeline

from mien.reports.timeline import write_timeline


def test_the_page_has_the_timelines_figures_and_needs_nothing_else(tmp_path):
    frames = [(0.2 * i, [seen("happy", 1), seen("sad", 2)]) for i in range(30)]
    frames += [(30 + 0.2 * i, [seen("neutral", 1)]) for i in range(30)]
    made = timeline(frames)
    write_timeline(made, "<b>party</b>.mp4", tmp_path / "timeline.html")
    text = (tmp_path / "timeline.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.scripts == 0
    assert all(address.startswith("#") for address in page.addresses)
    assert "<b>party" not in text
    assert text.count("<svg") == text.count('role="img" aria-label=') == 2
    for person in made.people():
        assert f"<td>#{person.track}</td><td>{person.seconds:.1f} s</td>" in text
        assert f"<td>{100 * person.shares()['happy']:.0f}%</td>" in text


def test_a_video_without_faces_says_so(tmp_path):
    write_timeline(timeline([(0, []), (1, [])]), "empty.mp4", tmp_path / "timeline.html")
    assert "No face was found" in (tmp_path / "timeline.html").read_text(encoding="utf-8")
