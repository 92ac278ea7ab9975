"""A reader inside other people's programs: many sources, threads, processes, their own frames."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.vision.made import ASTRONAUT, DATA, encoded, picture, write_video

from mien.errors import BundleError, SourceError
from mien.vision import Reader, read
from mien.vision.sources import Frame, open_source

ASTRONAUT_PATH = DATA / "astronaut.png"


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.fixture(scope="module")
def whole():
    """A reader that takes each picture as one face."""
    return Reader("mien-xs", detector="none")


def test_each_source_of_many_has_its_own_readings(reader):
    sources = [np.zeros((64, 64, 3), np.uint8), ASTRONAUT_PATH, ASTRONAUT, encoded(ASTRONAUT)]
    found = reader.read_many(sources)
    assert [len(one) for one in found] == [0, 1, 1, 1]
    assert [one[0].item for one in found[1:]] == [1, 2, 3]
    assert [one[0].source for one in found[1:]] == [str(ASTRONAUT_PATH), "item 2", "item 3"]


def test_many_of_one_or_of_none(whole, tmp_path):
    assert whole.read_many([]) == []
    (only,) = whole.read_many([picture()])
    assert [one.item for one in only] == [0]
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(encoded(picture(), ".png"))
    (of_folder,) = whole.read_many([tmp_path])  # one item, although it has two photos
    assert [one.item for one in of_folder] == [0, 0]
    assert [one.item for one in whole.read(tmp_path)] == [0, 1]


def test_a_source_that_cannot_be_read_does_not_cost_the_others(whole):
    sources = [picture(), "nowhere.png", b"nothing", picture()]
    found = whole.read_many(sources, return_errors=True)
    assert [type(one) for one in found] == [list, SourceError, SourceError, list]
    assert "nowhere.png" in str(found[1])
    assert str(found[2]).startswith("item 2: ")
    with pytest.raises(SourceError, match=r"nowhere\.png"):
        whole.read_many(sources)


def test_the_same_photo_twice_is_two_items(whole, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(picture(), ".png"))
    assert [frame.item for frame, _ in whole.stream([path, path])] == [0, 1]


def test_arrays_of_either_order_give_the_same_reading(reader):
    (expected,) = reader.read(ASTRONAUT)
    rgb = ASTRONAUT[..., ::-1]
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 7, np.uint8)])
    for array in (rgb, rgba):
        assert reader.read(array, color="rgb") == [expected]
    (of_list,) = reader.read([rgb, picture()], color="rgb")
    assert of_list.probabilities == expected.probabilities
    assert reader.read(rgb)[0].probabilities != expected.probabilities
    with pytest.raises(SourceError, match="expected 'bgr'"):
        reader.read(rgb, color="RGB")


def test_a_loop_of_ones_own_reads_with_one_detector(reader, monkeypatch):
    built = []
    build = reader._choice.build
    choice = type(reader._choice)("haar", lambda: built.append(1) or build())
    monkeypatch.setattr(reader, "_choice", choice)
    reader._idle_detectors.clear()
    for _ in range(5):
        reader.read(ASTRONAUT)
    assert len(built) == 1


def test_frames_of_a_generator_are_read_one_by_one(whole):
    asked = []

    def frames():
        for index in range(4):
            asked.append(index)
            yield picture(100 + index), index / 10

    for number, (frame, readings) in enumerate(whole.stream(frames())):
        assert asked == list(range(number + 1))  # none was taken ahead
        assert (frame.index, frame.seconds) == (number, number / 10)
        assert [one.track for one in readings] == [1]


def test_one_reader_serves_eight_threads(reader):
    expected = reader.read(ASTRONAUT)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(reader.read, [ASTRONAUT] * 16))
    assert results == [expected] * 16
    assert 1 <= len(reader._idle_detectors) <= 8


def test_asyncio_reads_in_a_thread(reader):
    async def both():
        return await asyncio.gather(*(asyncio.to_thread(reader.read, ASTRONAUT) for _ in range(2)))

    one, other = asyncio.run(both())
    assert one == other == reader.read(ASTRONAUT)


def test_a_reader_goes_through_pickle(tmp_path):
    first = Reader("mien-xs", detector="haar", threads=1, min_face_px=10, smoothing_s=0.5)
    again = pickle.loads(pickle.dumps(first))
    assert again.read(ASTRONAUT) == first.read(ASTRONAUT)
    assert (again.smoothing_s, again.bundle.threads) == (0.5, 1)
    assert repr(again) == "<Reader mien-xs, detector haar>"


def _count_faces(task):
    reader, image = task
    return len(reader.read(image))


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_pool_of_processes_reads(method, reader):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    reader.read(ASTRONAUT)  # its threads exist now, and are not there in a forked child
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.map_async(_count_faces, [(reader, ASTRONAUT)]).get(60) == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("uses", [False, True])
def test_a_forked_child_ends(uses, tmp_path):
    code = f"""
import os, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import mien
reader = mien.Reader("mien-xs", detector="none")
image = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)
expected = reader.read(image)
if os.fork() == 0:
    sys.exit(0 if not {uses} or reader.read(image) == expected else 3)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        assert time.monotonic() < deadline, "the child hangs"
        time.sleep(0.05)
    assert os.waitstatus_to_exitcode(status) == 0


def test_small_and_doubtful_faces_can_be_left_out():
    (face,) = read(ASTRONAUT)
    side = min(face.box[2] - face.box[0], face.box[3] - face.box[1])
    assert Reader(min_face_px=side).read(ASTRONAUT) == [face]
    assert Reader(min_face_px=side + 1).read(ASTRONAUT) == []
    assert Reader(min_score=face.score).read(ASTRONAUT) == [face]
    assert Reader(min_score=min(1.0, face.score + 0.01)).read(ASTRONAUT) == []


def test_a_provider_that_is_not_there_is_said_and_the_cpu_reads(whole):
    other = Reader("mien-xs", detector="none", provider="directml")
    assert "no directml provider" in other.bundle.provider_note
    assert other.read(picture()) == whole.read(picture())
    with pytest.raises(BundleError, match="did you mean 'cuda'"):
        Reader(provider="cude")


def test_videos_of_a_list_have_people_of_their_own(whole, tmp_path):
    paths = [write_video(tmp_path / f"{name}.avi", frames=3) for name in "ab"]
    found = whole.read_many(paths)
    assert [[one.track for one in readings] for readings in found] == [[1] * 3, [2] * 3]


@pytest.mark.parametrize("source", ["photo", "folder", "list", "video", "bytes"])
def test_an_opened_source_is_read_twice(source, whole, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(picture(), ".png"))
    made = {
        "photo": lambda: path,
        "folder": lambda: tmp_path,
        "list": lambda: [path, path],
        "video": lambda: write_video(tmp_path / "v.avi", frames=3),
        "bytes": path.read_bytes,
    }
    opened = open_source(made[source]())
    first = whole.read(opened)
    assert first
    assert whole.read(opened) == first


def test_frames_of_ones_own_keep_their_names(whole):
    frames = iter([Frame(picture(), "left camera", 7, 1.5)])
    ((_frame, (reading,)),) = whole.stream(frames)
    assert (reading.source, reading.frame, reading.seconds) == ("left camera", 7, 1.5)
