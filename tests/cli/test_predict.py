"""``mien predict`` on everything that is no single photo, with every output."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from tests.bundles import RED_GREEN_BLUE, write_bundle
from tests.vision.made import encoded, silent_stream
from tests.waiting import wait_until

from mien.images.crop import CropSpec
from mien.labels import FER2013
from mien.vision.sinks.base import SINKS, Sink

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
FPS = 20


def write_video(path, frames=40, empty=range(0)):
    face = cv2.resize(cv2.imread(str(ASTRONAUT))[:256, 96:352], (160, 160))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (320, 240))
    for index in range(frames):
        frame = np.full((240, 320, 3), 120, np.uint8)
        if index not in empty:
            frame[40:200, 60 + index % 40 : 220 + index % 40] = face
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "walk.avi", empty=range(10))


def test_a_video_with_every_output_at_once(mien, video, tmp_path):
    outcome = mien(
        "predict", video, "--csv", tmp_path / "r.csv", "--jsonl", tmp_path / "r.jsonl",
        "--save", tmp_path / "r.mp4", "--timeline", tmp_path / "t.html",
        "--save-crops", tmp_path / "crops", "--all-frames",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    with (tmp_path / "r.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert len(rows) == len(lines) >= 40
    assert [row["emotion"] for row in rows[:10]] == [""] * 10
    seen = rows[10:]
    assert {row["track"] for row in seen} == {"1"}
    assert float(seen[-1]["seconds"]) == pytest.approx(39 / FPS, abs=0.01)
    for row, line in zip(seen, lines[10:], strict=True):
        assert sum(float(row[emotion]) for emotion in FER2013.names) == pytest.approx(1, abs=1e-4)
        assert row["emotion"] == line["emotion"]
        assert int(row["left"]) == line["box"][0]
    copy = cv2.VideoCapture(str(tmp_path / "r.mp4"))
    assert copy.get(cv2.CAP_PROP_FRAME_COUNT) == 40
    assert len(list((tmp_path / "crops").glob("walk-*.png"))) == len(seen)
    assert cv2.imread(str(next((tmp_path / "crops").iterdir()))).shape == (48, 48, 3)
    assert "#1" in (tmp_path / "t.html").read_text()
    for shown in ("40 frames", "1 face followed", "#1", "r.csv", "r.mp4", "t.html"):
        assert shown in outcome.out
    assert max(map(len, outcome.out.split("saved")[0].splitlines()[1:])) <= 80


def test_every_output_has_the_classes_and_the_crops_of_another_bundle(mien, video, tmp_path):
    names = ("frame", "not sure?", "uncertain")
    bundle = write_bundle(tmp_path / "own.onnx", names, CropSpec(112, 3), uncertain_below=0.2)
    outcome = mien(
        "predict", video, "--model", bundle, "--csv", tmp_path / "r.csv",
        "--jsonl", tmp_path / "r.jsonl", "--save", tmp_path / "r.avi",
        "--timeline", tmp_path / "t.html", "--save-crops", tmp_path / "crops",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    with (tmp_path / "r.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert len(rows) == len(lines) == len(list((tmp_path / "crops").iterdir())) >= 28
    for row, line in zip(rows, lines, strict=True):
        assert tuple(line["probabilities"]) == names
        for name in names:
            column = name if name == "not sure?" else f"probability {name}"
            assert float(row[column]) == pytest.approx(line["probabilities"][name], abs=1e-6)
        assert int(row["frame"]) == line["frame"]
        assert row["emotion"] == line["emotion"]
    assert {cv2.imread(str(path)).shape for path in (tmp_path / "crops").iterdir()} == {
        (112, 112, 3)
    }
    page = (tmp_path / "t.html").read_text()
    assert all(f">{name}<" in page for name in (*names, "no answer"))
    assert not any(name in page for name in FER2013.names)


@pytest.mark.parametrize("count", [3, 7, 8, 20])
@pytest.mark.parametrize("name", ["c{}", "a name of a class that is rather long number {}"])
def test_tables_of_any_classes_fit_a_terminal(mien, video, tmp_path, count, name):
    names = tuple(name.format(number) for number in range(count))
    bundle = write_bundle(tmp_path / "own.onnx", names)
    photo = mien("predict", ASTRONAUT, "--model", bundle)
    assert photo.code == 0, photo.err
    table = photo.out.splitlines()[1:]
    assert max(map(len, table)) <= 80
    assert len(table) <= 8
    (record,) = json.loads(mien("predict", ASTRONAUT, "--model", bundle, "--json").out)
    first, second, *_ = sorted(record["probabilities"].items(), key=lambda item: -item[1])
    words = " ".join(table).split()
    assert f"{first[1]:.2f}" in words
    assert f"{second[1]:.2f}" in words
    assert set(f"{first[0]} {second[0]}".split()) <= set(words)
    shown = mien("predict", video, "--model", bundle).out.splitlines()[1:]
    assert max(map(len, shown)) <= 80


def test_pictures_that_are_crops_are_read_in_colour(mien, tmp_path):
    bundle = write_bundle(tmp_path / "own.onnx")
    for label, name in enumerate(RED_GREEN_BLUE):
        picture = np.full((64, 64, 3), 20, np.uint8)
        picture[..., 2 - label] = 220
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    outcome = mien("predict", f"{tmp_path}/*.png", "--crops", "--json", "--model", bundle)
    assert outcome.code == 0, outcome.err
    for record in json.loads(outcome.out):
        assert record["emotion"] == Path(record["source"]).stem


def test_json_of_a_video_is_one_array(mien, video):
    records = json.loads(mien("predict", video, "--json").out)
    assert len(records) >= 28
    assert {record["track"] for record in records} == {1}
    every = json.loads(mien("predict", video, "--json", "--all-frames").out)
    assert len(every) - len(records) == 40 - len({record["frame"] for record in records})


def test_a_folder_with_one_bad_file_is_read_but_for_that(mien, tmp_path):
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_bytes(ASTRONAUT.read_bytes())
    (tmp_path / "b.jpg").write_text("I am text")
    outcome = mien("predict", tmp_path)
    assert outcome.code == 1
    assert outcome.out.count("1 face") == 2
    assert "b.jpg: a text file cannot be decoded" in outcome.err
    assert mien("predict", f"{tmp_path}/*.png").code == 0


def test_many_photos_are_summed_up(mien, tmp_path):
    for index in range(25):
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), np.full((60, 60), 100 + index, np.uint8))
    outcome = mien("predict", tmp_path)
    assert outcome.out.count("no face found") == 20
    assert "25 photos, 0 faces: none" in outcome.out


def test_crops_need_no_detector(mien, tmp_path):
    crop = cv2.imread(str(ASTRONAUT), cv2.IMREAD_GRAYSCALE)[66:162, 177:273]
    cv2.imwrite(str(tmp_path / "crop.png"), crop)
    (record,) = json.loads(mien("predict", tmp_path / "crop.png", "--crops", "--json").out)
    assert record["emotion"] == "happy"
    assert record["box"] == [0, 0, 96, 96]
    wrong = mien("predict", tmp_path / "crop.png", "--crops", "--detector", "haar")
    assert wrong.code == 2
    assert "leave out --detector haar" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--save", "r.txt"], "expected .mp4, .webm"),
        (["--csv", "/proc/nowhere/r.csv"], "cannot be written"),
        (["--save-crops", "taken"], "a file, but face crops need a folder"),
        (["--save-crops", "/proc/nowhere"], "/proc/nowhere: cannot be written"),
        (["--timeline", "/proc/nowhere/t.html"], "/proc/nowhere/t.html: cannot be written"),
        (["--timeline", "."], ".: is not a file"),
        (["--detector-model", "nowhere.onnx"], "no such file, expected YuNet's"),
        (["--max-pixels", "1000"], "raise it with --max-pixels"),
        (["--model", "nobody"], "no such run"),
        (["--detector", "yunett"], "(did you mean 'yunet'?): expected auto, haar, none, yunet"),
        (["--sink", "cvs=r.csv"], "no sink is called 'cvs' (did you mean 'csv'?)"),
        (["--sink", "csv"], "expected --sink csv=PATH"),
        (["--sink", "csv="], "expected --sink csv=PATH"),
        (["--sink", "window=w"], "expected --sink window"),
        (["--sink", "crops=taken"], "a file, but face crops need a folder"),
    ],
)
def test_what_cannot_be_is_said_before_a_frame_is_read(
    mien, video, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("")
    outcome = mien("predict", video, *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert outcome.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_photos_have_no_timeline(mien, tmp_path):
    outcome = mien("predict", ASTRONAUT, "--timeline", tmp_path / "t.html")
    assert outcome.code == 2
    assert "photos have no timeline" in outcome.err
    assert outcome.out == ""


def test_a_window_needs_a_screen(mien, video, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    outcome = mien("predict", video, "--show")
    assert outcome.code == 2
    assert "leave out --show" in outcome.err


def test_a_source_is_never_written_over(mien, tmp_path):
    video = write_video(tmp_path / "v.avi", frames=3)
    before = video.read_bytes()
    outcome = mien("predict", video, "--save", video)
    assert outcome.code == 2
    assert "is one of the sources" in outcome.err
    outcome = mien("predict", video, "--timeline", video)
    assert outcome.code == 2
    assert "is one of the sources" in outcome.err
    assert video.read_bytes() == before


def test_two_outputs_do_not_share_a_file(mien, tmp_path):
    other = f"{tmp_path}/../{tmp_path.name}/r"
    outcome = mien("predict", ASTRONAUT, "--csv", tmp_path / "r", "--jsonl", other)
    assert outcome.code == 2
    assert "named for two outputs" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_sinks_by_name_write_what_the_options_write(mien, video, tmp_path):
    options = {"csv": "--csv", "jsonl": "--jsonl", "video": "--save", "timeline": "--timeline"}
    suffixes = {"csv": "csv", "jsonl": "jsonl", "video": "avi", "timeline": "html"}
    by_option = [
        text for name, option in options.items()
        for text in (option, tmp_path / f"a.{suffixes[name]}")
    ]  # fmt: skip
    by_name = [
        text for name in options for text in ("--sink", f"{name}={tmp_path}/b.{suffixes[name]}")
    ]
    outcome = mien("predict", video, *by_option, *by_name)
    assert outcome.code == 0, outcome.err
    for suffix in suffixes.values():
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    clash = mien("predict", video, "--csv", tmp_path / "c", "--sink", f"jsonl={tmp_path}/c")
    assert clash.code == 2
    assert "named for two outputs" in clash.err


class Tally(Sink):
    """A sink of one's own: how often each emotion was read, in a text that the user names."""

    target = "text"

    def __init__(self, prefix):
        super().__init__()
        self._prefix, self._emotions = prefix, Counter()

    @classmethod
    def open(cls, target, context):  # noqa: ARG003
        return cls(target)

    def add(self, frame, readings):
        self._emotions.update(reading.emotion for reading in readings)

    def close(self):
        print(self._prefix, dict(self._emotions))


def test_a_sink_of_ones_own_is_used_by_its_name(mien, monkeypatch):
    monkeypatch.setitem(SINKS._registered, "tally", Tally)
    outcome = mien("predict", ASTRONAUT, "--sink", "tally=so many=")
    assert outcome.code == 0, outcome.err
    assert "so many= {'happy': 1}" in outcome.out


def test_a_copy_that_cannot_be_is_listed_and_the_others_are_saved(mien, tmp_path):
    for name in ("a.png", "b:smile:.png"):
        cv2.imwrite(str(tmp_path / name), np.full((60, 60), 100, np.uint8))
    (tmp_path / "out" / "a-read.jpg").mkdir(parents=True)
    outcome = mien("predict", f"{tmp_path}/*.png", "--save", tmp_path / "out")
    assert outcome.code == 1
    assert "a-read.jpg: is not a file" in outcome.err
    assert (tmp_path / "out" / "b:smile:-read.jpg").is_file()
    assert "b:smile:.png: no face found" in outcome.out


def test_copies_of_photos_with_a_video_among_them_are_refused(mien, video, tmp_path):
    outcome = mien("predict", ASTRONAUT, video, "--save", tmp_path / "out")
    assert outcome.code == 2
    assert f"the sources contain a video or a stream ({video}); name an .mp4" in outcome.err
    assert list(tmp_path.iterdir()) == []


class FakeWindow:
    """Stands for a window, which needs a screen; somebody closes it after some looks."""

    def __init__(self, title):
        self.shown = self.looks = 0

    @property
    def is_open(self):
        return self.looks < 5

    def show(self, image):
        self.shown += 1

    def update(self):
        self.looks += 1

    def close(self):
        assert self.shown == 1
        assert not self.is_open


def test_the_last_photo_stays_until_its_window_is_closed(mien, tmp_path, monkeypatch):
    monkeypatch.setattr("mien.vision.sinks.window.Window", FakeWindow)
    cv2.imwrite(str(tmp_path / "a.png"), np.full((60, 60), 100, np.uint8))
    outcome = mien("predict", tmp_path / "a.png", "--show")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_whole_files(tmp_path, number):
    video = write_video(tmp_path / "long.avi", frames=1500)
    arguments = ["predict", video, "--csv", "r.csv", "--save", "r.avi", "--timeline", "t.html"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mien", *map(str, arguments)], cwd=tmp_path,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: any(path.stat().st_size > 2000 for path in tmp_path.glob(".r.csv.*")))
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what was read until then is saved" in said
    with (tmp_path / "r.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows
    assert all(row["emotion"] in FER2013.names for row in rows)
    frames = cv2.VideoCapture(str(tmp_path / "r.avi")).get(cv2.CAP_PROP_FRAME_COUNT)
    assert int(rows[-1]["frame"]) < frames < 1500
    assert (tmp_path / "t.html").is_file()
    assert list(tmp_path.glob(".r*")) == []


@pytest.fixture
def silent():
    """The address of a stream that gives ten frames, and then nothing."""
    with silent_stream() as address:
        yield address


def test_ctrl_c_ends_a_silent_stream_before_its_silence_times_out(silent, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "mien", "predict", silent, "--all-frames", "--csv", "r.csv",
         "--save", "r.avi"],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: any(path.read_text().count("\n") > 1 for path in tmp_path.glob(".r.csv.*")))
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    said, wrong = process.communicate(timeout=60)
    assert time.monotonic() - began < 3  # of 5 s of silence that are borne
    assert process.returncode == 0, wrong
    assert "broke off" not in wrong
    assert "r.csv" in said
    with (tmp_path / "r.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows
    assert cv2.VideoCapture(str(tmp_path / "r.avi")).get(cv2.CAP_PROP_FRAME_COUNT) >= 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.avi", "r.csv"]


def test_libraries_print_nothing_of_their_own(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    content = encoded(cv2.GaussianBlur(noise, None, 3), ".jpg")
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 2])
    result = subprocess.run(
        [sys.executable, "-m", "mien", "predict", "half.jpg"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "no face found" in result.stdout
    first, *rest = result.stderr.splitlines()
    assert first == (
        "mien: half.jpg: a JPEG that is cut off; its readable part was used; "
        "copy or download it again"
    )
    assert all(line.startswith("Faces were found by") for line in rest)
