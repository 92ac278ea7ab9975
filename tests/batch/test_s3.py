"""A batch job from object storage to object storage, which moto's server stands in for.

The server needs other releases of packages than the tests do, so ``make test`` installs it into
an environment of its own, from ``moto.txt``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from tests.batch.made import DAMAGED, items_of, pngs, rows_of, start_job, write_clip, write_parquet
from tests.waiting import wait_until

from mien.batch import BatchSettings, run_batch
from mien.errors import MienError

ROOT = Path(__file__).parents[2]
SERVER = shutil.which("moto_server") or str(ROOT / "build" / "s3" / "bin" / "moto_server")
CROPS = BatchSettings(model="mien-xs", detector="none", part_pictures=8)

pytestmark = pytest.mark.skipif(
    not Path(SERVER).is_file(), reason="no moto_server: make test installs it"
)


@pytest.fixture(scope="module")
def bucket():
    """The file system of a server of S3, and the options of its addresses."""
    from pyarrow import fs

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in keys.items():
            patch.setenv(name, value)
        server = subprocess.Popen(
            [SERVER, "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **keys},
        )
        try:
            wait_until(lambda: _answers(port), seconds=60)
            system = fs.S3FileSystem(
                endpoint_override=f"127.0.0.1:{port}",
                scheme="http",
                region="us-east-1",
                allow_bucket_creation=True,
                allow_delayed_open=True,
            )
            system.create_dir("faces")
            yield system, f"?endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="module")
def source(bucket, tmp_path_factory):
    """A folder in the bucket: 40 photos, one damaged, a Parquet file and a video."""
    system, options = bucket
    folder = tmp_path_factory.mktemp("s3")
    files = {f"more/{number}.png": content for number, content in enumerate(pngs(40))}
    files["more/7.png"] = DAMAGED
    files["a.parquet"] = write_parquet(folder / "a.parquet", pngs(8)).read_bytes()
    files["clip.avi"] = write_clip(folder / "clip.avi").read_bytes()
    for name, content in files.items():
        with system.open_output_stream(f"faces/in/{name}") as handle:
            handle.write(content)
    return f"s3://faces/in{options}"


def test_a_bucket_is_read_to_a_bucket(bucket, source):
    system, options = bucket
    out = f"s3://faces/out{options}"
    summary = run_batch([source], out, CROPS, workers=1)
    assert summary.out == "s3://faces/out"
    assert (summary.counts.pictures, summary.counts.errors) == (49, 1)
    rows = rows_of("faces/out", system)
    assert len(items_of(rows)) == 49
    assert "s3://faces/in/more/0.png" in {row["source"] for row in rows}
    assert not any("secret" in str(row) or "endpoint" in str(row) for row in rows)
    with pytest.raises(MienError, match=r"s3://faces/out: exists already, with a finished batch"):
        run_batch([source], out, CROPS, workers=1)
    system.delete_file("faces/out/part-000001.parquet")
    assert run_batch([source], out, CROPS, workers=1, resume=True) == summary
    assert rows_of("faces/out", system) == rows


def test_a_job_in_a_bucket_goes_on_after_a_kill(bucket, source):
    system, options = bucket
    arguments = [source, "--out", f"s3://faces/killed{options}", "--crops", "--part", 8]
    process = start_job(*arguments, "--workers", 1)
    wait_until(lambda: _has(system, "faces/killed/part-000000.parquet"), seconds=60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process = start_job(*arguments, "--workers", 1, "--resume")
    said = process.communicate(timeout=120)
    assert process.returncode == 1, said  # one photo is damaged
    assert len(items_of(rows_of("faces/killed", system))) == 49


def test_a_bucket_that_is_not_there_is_one_line(bucket, source, tmp_path):
    _, options = bucket
    with pytest.raises(MienError, match=r"s3://nothing/in: cannot be listed"):
        run_batch([f"s3://nothing/in{options}"], tmp_path / "out", CROPS)
    with pytest.raises(MienError, match=r"s3://nothing/out: cannot be (used|written)"):
        run_batch([source], f"s3://nothing/out{options}", CROPS)


def _has(system, path: str) -> bool:
    return system.get_file_info(path).is_file


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
