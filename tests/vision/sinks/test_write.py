from __future__ import annotations

import csv
import io
import json

import cv2
import numpy as np
import pytest

from mien.errors import MienError
from mien.labels import EMOTIONS
from mien.vision.reading import Frame, Reading
from mien.vision.sinks.draw import draw_readings
from mien.vision.sinks.places import SourceFiles
from mien.vision.sinks.video import VideoWriter
from mien.vision.sinks.write import (
    CSV_COLUMNS,
    CsvWriter,
    JsonLinesWriter,
    PhotoWriter,
    no_face,
)

WIDTH, HEIGHT = 160, 120
SIZE = (WIDTH, HEIGHT)
NAME = "видео 写真, “a”.mp4"


def frame(index=0, seconds=None, source=NAME, shade=128, size=SIZE) -> Frame:
    return Frame(np.full((size[1], size[0], 3), shade, np.uint8), source, index, seconds)


def reading(of: Frame, track=1, box=(20, 40, 60, 80)) -> Reading:
    probabilities = dict(zip(EMOTIONS, np.linspace(0.02, 0.2657142857, 7).tolist(), strict=True))
    return Reading(
        of.source, box, 0.875, "neutral", probabilities, True, of.index, of.seconds, track
    )


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read_csv(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def read_video(path) -> tuple[list[np.ndarray], float]:
    video = cv2.VideoCapture(str(path))
    pictures = []
    while (step := video.read())[0]:
        pictures.append(step[1])
    return pictures, video.get(cv2.CAP_PROP_FPS)


def shades(path) -> list[int]:
    """Return each frame's shade in its lower corner, where nothing is drawn, to the nearest ten."""
    return [10 * round(picture[-8:, -8:].mean() / 10) for picture in read_video(path)[0]]


@pytest.fixture(params=["csv", "jsonl", "mp4", "avi"])
def opened(request):
    """Return how to open each kind of file that is written frame by frame."""
    kinds = {"csv": CsvWriter, "jsonl": JsonLinesWriter}
    make = kinds.get(request.param, lambda path: VideoWriter(path, 10, SIZE))
    return lambda folder, stem="out": make(folder / f"{stem}.{request.param}")


def test_a_csv_has_a_row_a_face(tmp_path):
    path = tmp_path / "чтение.csv"
    with CsvWriter(path) as writer:
        for index in range(3):
            shown = frame(index, index / 30)
            writer.write(shown, [reading(shown, track) for track in range(1, index + 1)])
    rows = read_csv(path)
    assert [(row["frame"], row["track"]) for row in rows] == [("1", "1"), ("2", "1"), ("2", "2")]
    assert tuple(rows[0]) == CSV_COLUMNS
    assert rows[0]["source"] == NAME
    assert float(rows[0]["seconds"]) == pytest.approx(1 / 30, abs=1e-6)
    assert [rows[0][edge] for edge in ("left", "top", "right", "bottom")] == [
        "20",
        "40",
        "60",
        "80",
    ]
    assert sum(float(rows[0][emotion]) for emotion in EMOTIONS) == pytest.approx(1, abs=1e-5)
    assert (rows[0]["score"], rows[0]["emotion"], rows[0]["uncertain"]) == (
        "0.875", "neutral", "true",
    )  # fmt: skip
    assert writer.saved == [path]
    assert names(tmp_path) == [path.name]


def test_a_csv_of_all_frames_has_rows_without_faces(tmp_path):
    with CsvWriter(tmp_path / "all.csv", all_frames=True) as writer:
        writer.write(frame(0, 0.0), [])
        writer.write(frame(1, 0.5), [reading(frame(1, 0.5))])
    nothing, face = read_csv(tmp_path / "all.csv")
    given = {"source": NAME, "frame": "0", "seconds": "0.0"}
    assert nothing == {**dict.fromkeys(CSV_COLUMNS, ""), **given}
    assert face["track"] == "1"


def test_a_photo_has_neither_seconds_nor_track(tmp_path):
    with CsvWriter(tmp_path / "photo.csv") as writer:
        writer.write(frame(), [reading(frame(), track=None)])
    (row,) = read_csv(tmp_path / "photo.csv")
    assert (row["frame"], row["seconds"], row["track"]) == ("0", "", "")


@pytest.mark.parametrize("all_frames", [False, True])
def test_json_lines_are_readings(all_frames, tmp_path):
    shown = [frame(0, 0.0), frame(1, 0.1)]
    with JsonLinesWriter(tmp_path / "读.jsonl", all_frames=all_frames) as writer:
        writer.write(shown[0], [])
        writer.write(shown[1], [reading(shown[1]), reading(shown[1], 2)])
    lines = (tmp_path / "读.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    faces = [reading(shown[1]).as_dict(), reading(shown[1], 2).as_dict()]
    assert records == ([no_face(shown[0]), *faces] if all_frames else faces)
    assert {tuple(record) for record in records} == {tuple(faces[0])}
    assert no_face(shown[1])["seconds"] == 0.1
    assert no_face(shown[1])["emotion"] is None


def test_json_lines_go_to_a_stream_at_once_and_leave_it_open():
    stream = io.TextIOWrapper(raw := io.BytesIO(), encoding="ascii")
    with JsonLinesWriter(stream) as writer:
        writer.write(frame(), [reading(frame())])
        assert json.loads(raw.getvalue())["source"] == NAME
    assert not stream.closed
    assert writer.saved == []


def test_names_that_are_not_utf_8_are_written(tmp_path):
    shown = frame(source="\udcff.jpg")
    for writer in (CsvWriter(tmp_path / "a.csv"), JsonLinesWriter(tmp_path / "a.jsonl")):
        with writer:
            writer.write(shown, [reading(shown)])
    assert b"\xff.jpg" in (tmp_path / "a.csv").read_bytes()
    assert json.loads((tmp_path / "a.jsonl").read_text())["source"] == shown.source


def test_a_stopped_run_keeps_what_it_has(opened, tmp_path):
    with pytest.raises(KeyboardInterrupt), opened(tmp_path) as writer:
        for index in range(5):
            shown = frame(index, index / 10)
            writer.write(shown, [reading(shown)])
        raise KeyboardInterrupt
    (path,) = writer.saved
    assert names(tmp_path) == [path.name]
    if path.suffix == ".csv":
        assert len(read_csv(path)) == 5
    elif path.suffix == ".jsonl":
        assert len(path.read_text().splitlines()) == 5
    else:
        assert len(read_video(path)[0]) == 5


@pytest.mark.parametrize("kind", [CsvWriter, JsonLinesWriter])
def test_what_is_written_can_be_read_before_the_end_under_another_name(kind, tmp_path):
    writer = kind(tmp_path / "out.txt")
    writer.write(frame(), [reading(frame())])
    (temporary,) = tmp_path.iterdir()
    assert temporary.name != "out.txt"
    assert temporary.read_text("utf-8").endswith("\n")
    assert "neutral" in temporary.read_text("utf-8")
    writer.close()
    writer.close()  # a second time does nothing
    assert writer.saved == [tmp_path / "out.txt"]


def test_an_older_file_is_replaced_at_the_end_alone(opened, tmp_path):
    writer = opened(tmp_path)
    (temporary,) = tmp_path.iterdir()
    path = tmp_path / f"out{temporary.suffix}"
    path.write_bytes(b"older")
    writer.write(frame(), [])
    assert path.read_bytes() == b"older"
    writer.close()
    assert path.read_bytes() != b"older"
    assert names(tmp_path) == [path.name]


def test_without_a_frame_an_older_file_stays(opened, tmp_path):
    writer = opened(tmp_path)
    (temporary,) = tmp_path.iterdir()
    path = tmp_path / f"out{temporary.suffix}"
    path.write_bytes(b"older")
    writer.close()
    assert path.read_bytes() == b"older"
    assert names(tmp_path) == [path.name]
    assert writer.saved == []


def test_the_source_is_never_written_over(opened, tmp_path):
    writer = opened(tmp_path)
    (temporary,) = tmp_path.iterdir()
    path = tmp_path / f"out{temporary.suffix}"
    path.write_bytes(b"a video")
    writer.write(frame(0, 0.0, "another"), [])
    with pytest.raises(MienError, match="is the video itself"):
        writer.write(frame(0, 0.0, str(path)), [])
    with pytest.raises(MienError, match="is the video itself"):
        writer.write(frame(0, 0.0, str(path)), [])
    writer.close()
    assert path.read_bytes() == b"a video"
    assert names(tmp_path) == [path.name]


def test_an_unwritable_path_is_said_before_any_frame(opened, tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(MienError, match=r"out\.\w+: cannot be written"):
        opened(tmp_path / "file")
    with pytest.raises(MienError, match="cannot be written"):
        opened(tmp_path, "ы" * 300)
    with pytest.raises(MienError, match="is not a file"):
        CsvWriter(tmp_path / "folder.csv")
    assert names(tmp_path) == ["file", "folder.csv"]


def test_photos_are_saved_with_their_readings(tmp_path):
    shown = frame(source="some/фото.png")
    with PhotoWriter(tmp_path / "read.png") as writer:
        writer.write(shown, [reading(shown, track=None)])
    expected = draw_readings(shown.image, [reading(shown, track=None)])
    saved = np.fromfile(tmp_path / "read.png", np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(saved, cv2.IMREAD_COLOR), expected)
    assert writer.saved == [tmp_path / "read.png"]


def test_photos_in_a_folder_have_names_of_their_own(tmp_path):
    with PhotoWriter(tmp_path / "new" / "read", photos=None) as writer:
        assert names(tmp_path) == []
        for source in ("a/фото.jpg", "b/фото.png", ""):
            writer.write(frame(source=source), [])
    expected = ["picture-read.jpg", "фото-read-2.jpg", "фото-read.jpg"]
    assert names(tmp_path / "new" / "read") == expected
    assert sorted(path.name for path in writer.saved) == expected


def test_photos_that_cannot_be_saved_are_said_before_the_first(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MienError, match="a file, but 2 photos need a folder"):
        PhotoWriter(tmp_path / "file", photos=2)
    with pytest.raises(MienError, match="several photos need a folder"):
        PhotoWriter(tmp_path / "file", photos=None)
    with pytest.raises(MienError, match=r"expected \.jpg, \.png or \.webp"):
        PhotoWriter(tmp_path / "read.txt")
    for path in (tmp_path / "file" / "read.jpg", tmp_path / "file" / "read"):
        with pytest.raises(MienError, match="cannot be written"):
            PhotoWriter(path)


def test_a_photo_is_not_written_over(tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"photo")
    with PhotoWriter(photo) as writer, pytest.raises(MienError, match="the photo itself"):
        writer.write(frame(source=str(photo)), [])
    assert photo.read_bytes() == b"photo"


def test_no_copy_takes_the_name_of_a_source(tmp_path):
    for name in ("a.jpg", "a-read.jpg"):
        (tmp_path / name).write_bytes(b"photo")
    sources = SourceFiles([str(tmp_path / "a.jpg"), str(tmp_path / "a-read.jpg")])
    with PhotoWriter(tmp_path, photos=2, sources=sources) as writer:
        writer.write(frame(source=str(tmp_path / "a.jpg")), [])
    assert names(tmp_path) == ["a-read-2.jpg", "a-read.jpg", "a.jpg"]
    assert (tmp_path / "a-read.jpg").read_bytes() == b"photo"


def test_names_too_long_and_pictures_too_wide_for_a_jpeg_have_copies(tmp_path):
    with PhotoWriter(tmp_path, photos=None) as writer:
        writer.write(frame(source="写" * 83 + ".jpg"), [])
        writer.write(frame(source="wide.tiff", size=(65_501, 2)), [])
    long, wide = sorted(names(tmp_path), reverse=True)
    assert long == "写" * 66 + "-read.jpg"
    assert wide == "wide-read.png"


@pytest.mark.parametrize("name", ["видео 写真.mp4", "out.avi", "OUT.MP4"])
@pytest.mark.parametrize("size", [SIZE, (162, 90)])
def test_a_video_has_every_frame_at_its_size(name, size, tmp_path):
    with VideoWriter(tmp_path / name, 29.97, size) as writer:
        for index in range(12):
            shown = frame(index, index / 29.97, shade=20 * index, size=size)
            writer.write(shown, [reading(shown)])
    pictures, fps = read_video(tmp_path / name)
    assert len(pictures) == 12
    assert fps == pytest.approx(29.97, abs=0.01)
    assert pictures[0].shape == (size[1], size[0], 3)
    assert shades(tmp_path / name) == [20 * index for index in range(12)]
    assert np.ptp(pictures[0][35:85, 15:65]) > 60  # the box is drawn


@pytest.mark.parametrize("begins", [0.0, 1_000.0])
def test_a_video_is_as_long_as_what_it_shows(begins, tmp_path):
    times = [0.0, 0.1, 0.2, 0.5, 0.52, 0.54, 1.0]
    with VideoWriter(tmp_path / "out.mp4", 10, SIZE) as writer:
        for index, seconds in enumerate(times):
            writer.write(frame(index, begins + seconds, shade=30 + 30 * index), [])
    expected = [30, 60, 90, 90, 90, 120, 120, 120, 120, 120, 210]
    assert shades(tmp_path / "out.mp4") == expected


def test_a_video_goes_on_after_another_source_a_set_clock_and_a_long_pause(tmp_path):
    steps = [("a", 5.0), ("a", 5.1), ("b", 0.0), ("b", 0.1), ("b", 9_000.0), ("b", 2.0)]
    with VideoWriter(tmp_path / "out.mp4", 10, SIZE) as writer:
        for index, (source, seconds) in enumerate(steps):
            writer.write(frame(index, seconds, source, 40 * index), [])
        writer.write(frame(shade=240), [])
    assert shades(tmp_path / "out.mp4") == [0, 40, 80, 120, 160, 200, 240]


def test_pictures_of_another_size_are_fitted_into_a_video(tmp_path):
    with VideoWriter(tmp_path / "out.avi", 10, SIZE) as writer:
        writer.write(frame(size=(320, 120), shade=200), [])
        writer.write(Frame(np.full((30, 40), 200, np.uint8)), [])
    wide, small = read_video(tmp_path / "out.avi")[0]
    assert wide.shape == small.shape == (HEIGHT, WIDTH, 3)
    assert wide[HEIGHT // 2].mean() == pytest.approx(200, abs=5)
    assert wide[:20].mean() < 10
    assert small.mean() == pytest.approx(200, abs=5)


def test_a_video_takes_the_first_frames_size_where_none_is_given(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", 10) as writer:
        writer.write(frame(0, 0.0, size=(200, 100)), [])
        writer.write(frame(1, 0.1), [])
    assert [picture.shape for picture in read_video(tmp_path / "out.mp4")[0]] == [(100, 200, 3)] * 2
    with VideoWriter(tmp_path / "wide.mp4", 10) as writer:
        for index in range(2):
            with pytest.raises(MienError, match="1x9000 pixels cannot be written"):
                writer.write(frame(index, 0.0, size=(1, 9000)), [])
    assert writer.saved == []
    assert names(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 90_000])
def test_a_rate_that_cannot_be_used_becomes_thirty(fps, tmp_path):
    with VideoWriter(tmp_path / "out.mp4", fps, SIZE) as writer:
        writer.write(frame(0, 0.0), [])
        writer.write(frame(1, 0.5), [])
    pictures, written = read_video(tmp_path / "out.mp4")
    assert (len(pictures), written) == (16, 30)


@pytest.mark.parametrize("size", [(1, 1), (0, 100), (20_000, 20_000)])
def test_a_video_that_cannot_be_is_said_before_any_frame(size, tmp_path):
    with pytest.raises(MienError, match="pixels cannot be written"):
        VideoWriter(tmp_path / "out.mp4", 30, size)
    with pytest.raises(MienError, match=r"expected \.mp4 or \.avi"):
        VideoWriter(tmp_path / "out.mkv", 30, SIZE)
    assert names(tmp_path) == []


def test_a_label_names_the_track():
    blank = frame().image
    one, other = (draw_readings(blank, [reading(frame(), track)]) for track in (None, 3))
    assert (one != other).any()
