from __future__ import annotations

from tests.vision.made import encoded, picture, send, send_mjpeg, serving

from mien.vision import Reader
from mien.vision.sources import open_source


def endless(handler):
    send_mjpeg(handler, range(10_000))


def test_streams_are_read_at_the_same_time():
    with serving(endless) as one, serving(endless) as other:
        with open_source([f"{one}/live", f"{other}/live"], timeout_s=10) as opened:
            seen = set()
            for frame in opened:
                seen.add((frame.item, frame.source))
                if len(seen) == 2:  # neither waited for the end of the other, which never comes
                    break
    assert seen == {(0, f"{one}/live"), (1, f"{other}/live")}


def test_each_camera_has_people_of_its_own():
    reader = Reader("mien-xs", detector="none")
    with serving(endless) as one, serving(endless) as other:
        tracks = {0: set(), 1: set()}
        with open_source([f"{one}/live", f"{other}/live"], timeout_s=10) as opened:
            for number, (frame, (reading,)) in enumerate(reader.stream(opened)):
                tracks[frame.item].add(reading.track)
                if all(tracks.values()) and number >= 11:
                    break
    assert [len(one) for one in tracks.values()] == [1, 1]
    assert not tracks[0] & tracks[1]


def test_a_camera_that_fails_does_not_end_the_others():
    with serving(endless) as one, serving(lambda h: send(h, b"", "text/plain", 503)) as other:
        with open_source([f"{other}/live", picture(), f"{one}/live"], timeout_s=10) as opened:
            items = []
            for frame in opened:
                items.append(frame.item)
                if len(items) == 4:
                    break
    assert items == [1, 2, 2, 2]  # the picture first, since a stream has no end
    (failure,) = opened.failures
    assert failure.item == 0
    assert "503" in str(failure)


def test_the_files_of_a_folder_have_an_item_each(tmp_path):
    for name in "ba":
        (tmp_path / f"{name}.png").write_bytes(encoded(picture(), ".png"))
    assert [(one.item, one.source[-5:]) for one in open_source(tmp_path)] == [
        (0, "a.png"),
        (1, "b.png"),
    ]
    in_list = open_source([picture(), tmp_path, picture()])
    assert [(one.item, one.source[-6:]) for one in in_list] == [
        (0, "item 0"),
        (1, "/a.png"),
        (1, "/b.png"),
        (2, "item 2"),
    ]
