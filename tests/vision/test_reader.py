from __future__ import annotations

import hashlib
import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.bundles import RED_GREEN_BLUE, write_bundle
from tests.vision.conftest import TILT_DEGREES
from tests.vision.made import ASTRONAUT, ASTRONAUT_FACE, DATA, overlap

from mien.bundle.bundle import Bundle, find_bundle
from mien.bundle.export import update_metadata
from mien.errors import SourceError
from mien.images.crop import CropSpec, encode_png
from mien.labels import FER2013
from mien.vision import Reader, read
from mien.vision.detectors import _yunet_file
from mien.vision.sources import Frame, Source, open_source

ASTRONAUT_PATH = DATA / "astronaut.png"


@pytest.fixture(scope="module")
def reader():
    return Reader()


def test_the_astronaut_is_found_and_read(reader):
    (reading,) = reader.read(ASTRONAUT_PATH)
    assert reading.source == str(ASTRONAUT_PATH)
    assert overlap(reading.box, ASTRONAUT_FACE) > 0.7
    assert reading.emotion == "happy"
    assert list(reading.probabilities) == list(FER2013.names)
    assert sum(reading.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert 0 < reading.score <= 1


def test_path_array_and_gray_give_the_same_reading(reader):
    (from_path,) = reader.read(ASTRONAUT_PATH)
    (from_array,) = reader.read(ASTRONAUT)
    (from_gray,) = reader.read(cv2.cvtColor(ASTRONAUT, cv2.COLOR_BGR2GRAY))
    assert from_array.probabilities == from_path.probabilities == from_gray.probabilities
    assert read(str(ASTRONAUT_PATH)) == [from_path]


@pytest.mark.parametrize(("threshold", "uncertain"), [(0.0, False), (1.0, True)])
def test_below_the_bundles_threshold_a_reading_is_uncertain(threshold, uncertain, tmp_path):
    path = tmp_path / "own.onnx"
    path.write_bytes(find_bundle().read_bytes())
    bundle = Bundle(path)
    update_metadata(bundle, bundle.metadata.model_copy(update={"uncertain_below": threshold}))
    (reading,) = read(ASTRONAUT_PATH, path)
    assert reading.uncertain is uncertain
    assert reading.as_dict()["uncertain"] is uncertain
    assert reading.emotion == "happy"  # it stays the most probable one


@pytest.mark.parametrize("scale", [0.5, 2, 6])
def test_boxes_are_in_the_pictures_own_pixels(reader, scale):
    picture = cv2.resize(ASTRONAUT, None, fx=scale, fy=scale)
    reading = reader.read(picture)[0]
    assert overlap(reading.box, [scale * edge for edge in ASTRONAUT_FACE]) > 0.6


def test_several_faces_come_largest_first(reader):
    small = cv2.resize(ASTRONAUT, None, fx=0.6, fy=0.6)
    canvas = np.full((512, 512 + small.shape[1], 3), 90, np.uint8)
    canvas[:, :512] = ASTRONAUT
    canvas[: small.shape[0], 512:] = small
    readings = reader.read(canvas)
    assert len(readings) == 2
    assert overlap(readings[0].box, ASTRONAUT_FACE) > 0.7
    assert readings[1].box[0] > 512


@pytest.mark.parametrize("name", ["coffee.png", "brick.png", "grass.png", "moon.png"])
def test_pictures_without_faces_have_none(reader, name):
    path = DATA / name
    if path.is_file():
        assert reader.read(path) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 500, 3), (500, 2), (30, 30), (24, 24, 3)])
def test_pictures_of_any_size_are_taken(reader, shape):
    assert reader.read(np.full(shape, 127, np.uint8)) == []


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((50, 50, 3), np.float32),
        np.zeros((50, 50, 2), np.uint8),
        np.zeros((0, 5), np.uint8),
    ],
)
def test_other_arrays_are_refused(reader, picture):
    with pytest.raises(SourceError, match="expected uint8"):
        reader.read(picture)


def test_what_is_no_photo_is_said(reader, tmp_path):
    (tmp_path / "text.jpg").write_text("I am text")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name, expected in (
        ("nowhere.jpg", "no such file"),
        ("text.jpg", "cannot be decoded"),
        ("empty.jpg", "is empty"),
    ):
        with pytest.raises(SourceError, match=expected):
            reader.read(tmp_path / name)


def test_of_several_a_bad_one_is_an_error_to_read_and_noted_in_a_stream(reader, tmp_path):
    (tmp_path / "a.png").write_bytes(ASTRONAUT_PATH.read_bytes())
    (tmp_path / "b.jpg").write_text("I am text")
    (tmp_path / "c.png").write_bytes(ASTRONAUT_PATH.read_bytes())
    with pytest.raises(SourceError, match=r"b\.jpg: a text file"):
        reader.read(tmp_path)
    source = open_source(tmp_path)
    read_ones = [Path(frame.source).name for frame, found in reader.stream(source) if found]
    assert read_ones == ["a.png", "c.png"]
    assert ["b.jpg" in str(failure) for failure in source.failures] == [True]


def test_whole_pictures_can_be_the_faces():
    crops = [ASTRONAUT[66:162, 177:273], np.full((48, 48), 90, np.uint8)]
    readings = Reader(detector="none").read(crops)
    assert [reading.box for reading in readings] == [(0, 0, 96, 96), (0, 0, 48, 48)]
    assert readings[0].emotion == "happy"


def test_turned_faces_are_read_level_and_the_crop_is_what_was_read(planted_yunet, monkeypatch):
    digest = hashlib.sha256(planted_yunet.read_bytes()).hexdigest()
    monkeypatch.setattr(_yunet_file, "SHA256", digest)
    reader = Reader(detector="yunet", detector_model=planted_yunet)
    assert reader.detector == "yunet"
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[80:88, 160:168] = 255
    (reading,) = reader.read(picture)
    assert reading.tilt_degrees == pytest.approx(TILT_DEGREES, abs=0.1)
    crop = reader.crop(picture, reading)
    probabilities = reader.bundle.predict(crop[None])[1][0]
    assert list(reading.probabilities.values()) == pytest.approx(probabilities.tolist(), abs=1e-5)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """60 frames at 30 a second: the astronaut moves to the right; frames 20 to 29 are empty."""
    path = tmp_path_factory.mktemp("video") / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (320, 240))
    face = cv2.resize(ASTRONAUT[:256, 96:352], (160, 160))
    for index in range(60):
        frame = np.full((240, 320, 3), 120, np.uint8)
        if not 20 <= index < 30:
            left = 10 + 2 * index
            frame[40:200, left : left + 160] = face
        writer.write(frame)
    writer.release()
    return path


def test_a_video_is_read_in_order_with_its_times_and_its_faces_are_followed(reader, video):
    found = list(reader.stream(video))
    assert [frame.index for frame, _ in found] == list(range(60))
    assert [frame.seconds for frame, _ in found] == pytest.approx([i / 30 for i in range(60)])
    assert all(not readings for frame, readings in found[20:30])
    readings = [reading for _, found_ones in found for reading in found_ones]
    assert len(readings) > 45
    assert {reading.track for reading in readings} == {1}  # away for a third of a second
    for reading in readings:
        assert reading.seconds == pytest.approx(reading.frame / 30)
        assert sum(reading.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_a_photo_among_videos_has_no_track(reader, video):
    found = [
        (frame.source, reading.track)
        for frame, readings in reader.stream(open_source([video, ASTRONAUT, video]))
        for reading in readings
    ]
    assert {track for source, track in found if source != "item 1"} == {1, 2}
    assert [track for source, track in found if source == "item 1"] == [None]


def test_smoothing_steadies_a_video_and_leaves_its_mean(video):
    raw, smooth = (
        np.array([list(r.probabilities.values()) for r in Reader(smoothing_s=s).read(video)])
        for s in (0, 0.5)
    )
    assert raw.shape == smooth.shape
    jumps = [np.abs(np.diff(rows, axis=0)).sum() for rows in (raw, smooth)]
    assert jumps[1] < 0.5 * jumps[0]
    np.testing.assert_allclose(smooth.mean(0), raw.mean(0), atol=0.1)


def test_leaving_a_stream_early_closes_its_source(reader, video):
    source = open_source(video)
    stream = reader.stream(source)
    frame, _ = next(stream)
    stream.close()
    assert frame.index == 0
    assert [one.index for one in source][:2] == [0, 1]  # it was closed, and begins anew


class Large(Source):
    """Frames of 36 million pixels that take no memory; counts those that somebody still holds."""

    def __init__(self, frames):
        super().__init__("", "video", total=frames)
        self.held, self.most_held = weakref.WeakSet(), 0

    def __iter__(self):
        pixels = np.broadcast_to(np.uint8(7), (6000, 6000))
        for index in range(self.total):
            frame = Frame(pixels, "", index, index / 30)
            self.held.add(frame)
            self.most_held = max(self.most_held, len(self.held))
            yield frame

    def close(self):
        pass


def test_of_large_frames_few_are_held_at_once():
    source = Large(16)
    found = [frame.index for frame, _ in Reader(detector="none").stream(source)]
    assert found == list(range(16))
    assert source.most_held <= 5


def test_a_name_need_not_be_ascii(reader, tmp_path):
    path = tmp_path / "фото 写真.png"
    path.write_bytes(ASTRONAUT_PATH.read_bytes())
    assert len(reader.read(path)) == 1


def colour_picture(blue, green, red):
    """Return a picture of one colour with the noise that keeps it from being blank."""
    noise = np.random.default_rng(0).integers(0, 40, (90, 90, 3))
    return (noise + np.array([blue, green, red])).astype(np.uint8)


@pytest.mark.parametrize("size_px", [24, 64, 112])
def test_colour_bundles_read_the_colours_of_pictures_and_of_files(size_px, tmp_path):
    reader = Reader(write_bundle(tmp_path / "own.onnx", crop=CropSpec(size_px, 3)), detector="none")
    pictures = [colour_picture(0, 0, 200), colour_picture(0, 200, 0), colour_picture(200, 0, 0)]
    for name, picture in zip(RED_GREEN_BLUE, pictures, strict=True):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
        crop = reader.crop(picture, reader.read(picture)[0])
        assert crop.shape == (size_px, size_px, 3)
        (tmp_path / f"crop-{name}.png").write_bytes(encode_png(crop))
        read_ones = [
            reader.read(source)[0]
            for source in (picture, tmp_path / f"{name}.png", tmp_path / f"crop-{name}.png")
        ]
        assert [reading.emotion for reading in read_ones] == [name] * 3
        assert read_ones[0].probabilities == read_ones[1].probabilities
        assert tuple(read_ones[0].probabilities) == RED_GREEN_BLUE
        expected = reader.bundle.predict(crop[None])[1][0]
        np.testing.assert_array_equal(list(read_ones[2].probabilities.values()), expected)
    gray = reader.read(np.full((70, 50), 90, np.uint8))[0]
    assert list(gray.probabilities.values()) == pytest.approx([1 / 3] * 3, abs=1e-3)


@pytest.mark.parametrize("crop", [CropSpec(96, 1), CropSpec(112, 3)], ids=str)
def test_faces_in_photos_and_videos_are_read_by_other_labels_and_crops(crop, video, tmp_path):
    names = tuple(f"class {number}" for number in range(8))
    reader = Reader(write_bundle(tmp_path / "own.onnx", names, crop), detector="haar")
    (reading,) = reader.read(ASTRONAUT_PATH)
    assert overlap(reading.box, ASTRONAUT_FACE) > 0.7
    face = reader.crop(ASTRONAUT, reading)
    assert face.shape == crop.shape
    expected = reader.bundle.predict(face[None])[1][0]
    np.testing.assert_array_equal(list(reading.probabilities.values()), expected)
    followed = reader.read(video)
    assert {one.track for one in followed} == {1}
    for one in followed:
        assert tuple(one.probabilities) == names
        assert sum(one.probabilities.values()) == pytest.approx(1, abs=1e-5)
