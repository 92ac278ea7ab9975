"""A batch job from its sources to its results, on this machine's cores."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from tests.batch.made import (
    DAMAGED,
    descendants,
    is_running,
    items_of,
    parts_in,
    pngs,
    rows_of,
    start_job,
    write_clip,
    write_parquet,
    write_photos,
    write_shard,
)
from tests.waiting import wait_until

from mien.batch import BatchSettings, run_batch
from mien.batch.attempts import REASON
from mien.batch.plan import make_plan
from mien.batch.run import RECORD
from mien.batch.worker import Job, Worker
from mien.errors import MienError
from mien.vision import Reader

CROPS = BatchSettings(model="mien-xs", detector="none")


def run(source, out, settings=CROPS, **options):
    sources = source if isinstance(source, list) else [source]
    return run_batch(sources, out, settings, **{"workers": 1, **options})


def test_every_kind_of_source_is_read_as_the_reader_reads_it(tmp_path):
    source = write_photos(tmp_path / "in", 9, damaged=1)
    write_parquet(source / "faces.parquet", [*pngs(8), DAMAGED])
    write_shard(source / "faces.tar", {"0.png": pngs(8)[7], "0.json": b"{}"})
    write_clip(source / "clip.avi")
    summary = run(source, tmp_path / "out")
    assert (summary.parts, summary.counts.pictures, summary.counts.errors) == (4, 20, 2)
    assert (summary.counts.unread, summary.counts.other_members) == (2, 1)
    rows = rows_of(tmp_path / "out")
    assert len(items_of(rows)) == 20
    reader = Reader("mien-xs", detector="none")
    photo = str(source / "0004.png")
    (expected,) = reader.read(photo)
    by_item = {(row["source"], row["item"]): row for row in rows}
    (item,) = [item for name, item in by_item if name == photo]
    found = by_item[photo, item]
    assert found["emotion"] == expected.emotion
    assert found["happy"] == pytest.approx(expected.probabilities["happy"], abs=1e-5)
    assert (found["right"], found["uncertain"]) == (expected.box[2], expected.uncertain)
    assert by_item[str(source / "faces.parquet"), 7]["happy"] == pytest.approx(
        by_item[f"{source}/faces.tar/0.png", 0]["happy"], abs=1e-5
    )
    frames = [row for row in rows if row["source"] == str(source / "clip.avi")]
    assert [row["frame"] for row in frames] == list(range(12))
    assert {row["track"] for row in frames} == {1}
    assert [row["error"] for row in rows if row["error"] and "0000.png" in row["source"]]
    record = json.loads((tmp_path / "out" / RECORD).read_text())
    assert record["counts"]["pictures"] == 20
    assert not (tmp_path / "out" / "_attempts").exists()


def test_a_job_that_is_whole_is_not_read_again(tmp_path):
    source = write_photos(tmp_path / "in", 40)
    first = run(source, tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    assert run(source, tmp_path / "out", resume=True) == first
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_job_goes_on_with_the_parts_that_are_missing_or_damaged(tmp_path):
    source, out = write_photos(tmp_path / "in", 100), tmp_path / "out"
    first = run(source, out)
    before = rows_of(out)
    parts = sorted(out.glob("part-*"))
    parts[0].unlink()
    parts[1].write_bytes(parts[1].read_bytes()[:-20])
    kept = parts[2].stat().st_mtime_ns
    assert run(source, out, resume=True) == first
    assert rows_of(out) == before
    assert parts[2].stat().st_mtime_ns == kept


def test_only_the_same_job_is_resumed(tmp_path):
    source, out = write_photos(tmp_path / "in", 8), tmp_path / "out"
    run(source, out)
    with pytest.raises(MienError, match="cannot be resumed: the model changed"):
        run(source, out, BatchSettings(detector="none"), resume=True)
    with pytest.raises(MienError, match=r"turned changed since the job began \(False then, True"):
        run(source, out, BatchSettings(model="mien-xs", detector="none", turned=True), resume=True)
    (source / "new.png").write_bytes(DAMAGED)
    with pytest.raises(MienError, match="the files of the sources changed since the job began"):
        run(source, out, resume=True)


def test_a_destination_in_the_way_is_one_line(tmp_path):
    source = write_photos(tmp_path / "in", 8)
    run(source, tmp_path / "out")
    with pytest.raises(MienError, match="a finished batch job; add --resume"):
        run(source, tmp_path / "out")
    with pytest.raises(MienError, match="holds something else; choose another folder"):
        run(source, tmp_path)
    with pytest.raises(MienError, match="lies in the source"):
        run(source, source / "out")
    (tmp_path / "file").write_text("x")
    with pytest.raises(MienError, match="a file, expected a new folder"):
        run(source, tmp_path / "file")
    with pytest.raises(MienError, match="no batch job to resume there"):
        run(source, tmp_path / "new", resume=True)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    source = write_photos(tmp_path / "in", 8)
    (tmp_path / "file").write_text("x")
    with pytest.raises(MienError, match=r"cannot be (written|used)") as error:
        run(source, tmp_path / "file" / "out")  # not even root can make that folder
    assert "\n" not in str(error.value)


def test_two_jobs_do_not_write_to_one_folder(tmp_path):
    source, out = write_photos(tmp_path / "in", 8), tmp_path / "out"
    from mien.io.files import locked_folder

    out.mkdir()
    with locked_folder(out, busy="x"):
        with pytest.raises(MienError, match="another mien batch is writing there"):
            run(source, out)
    assert run(source, out).counts.pictures == 8


def test_a_worker_on_another_disk_says_so(tmp_path):
    with pytest.raises(MienError, match="storage that all machines share"):
        Worker(Job(CROPS, str(tmp_path), "digest"), lambda: False)


def test_a_part_that_ended_its_process_again_and_again_is_read_without_its_culprit(tmp_path):
    """Every attempt that ends at a picture leaves its note, as a process that is killed does."""
    source, out = write_photos(tmp_path / "in", 8), tmp_path / "out"
    plan = make_plan([str(source)], column="image", part_pictures=1000)
    (part,) = plan.parts
    out.mkdir()
    (out / RECORD).write_text(plan.digest)
    (out / "_attempts").mkdir()
    note = {"begun": 4, "item": 5, "ends": {"5": 1}}
    (out / "_attempts" / f"{part.file_name}.json").write_text(json.dumps(note))
    counts = Worker(Job(CROPS, str(out), plan.digest), lambda: False).read(part)
    assert (counts.pictures, counts.errors) == (8, 1)
    (bad,) = [row for row in rows_of(out) if row["error"]]
    assert bad["item"] == 5
    assert bad["error"].endswith(REASON)


def workers_of(process) -> list[int]:
    return [pid for pid, line in descendants(process.pid).items() if "spawn_main" in line]


def wait_for_parts(process, out: Path, count: int) -> None:
    wait_until(lambda: parts_in(out) >= count or process.poll() is not None, seconds=60)
    assert process.poll() is None, process.communicate()


@pytest.mark.parametrize("whole", [False, True], ids=["a worker", "the whole job"])
def test_no_picture_is_lost_or_read_twice_after_a_kill(tmp_path, whole):
    source, out = write_photos(tmp_path / "in", 400), tmp_path / "out"
    arguments = [source, "--out", out, "--crops", "--workers", 2, "--part", 8]
    process = start_job(*arguments)
    wait_for_parts(process, out, 2)
    workers = workers_of(process)
    assert workers
    os.kill(process.pid if whole else workers[0], signal.SIGKILL)
    text = process.communicate(timeout=120)
    if whole:
        wait_until(lambda: not any(map(is_running, workers)), seconds=20)
        there = parts_in(out)
        assert there < 50
        times = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
        process = start_job(*arguments, "--resume")
        text = process.communicate(timeout=120)
        assert {path: path.stat().st_mtime_ns for path in times} == times
    assert process.returncode == 0, text
    rows = rows_of(out)
    assert len(rows) == len(items_of(rows)) == 400


def test_ctrl_c_stops_between_pictures_and_the_job_goes_on(tmp_path):
    source, out = write_photos(tmp_path / "in", 400), tmp_path / "out"
    arguments = [source, "--out", out, "--crops", "--workers", 1, "--part", 8]
    process = start_job(*arguments)
    wait_for_parts(process, out, 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume goes on" in said
    assert "Traceback" not in said
    assert run(source, out, BatchSettings(detector="none", part_pictures=8), resume=True, workers=2)
