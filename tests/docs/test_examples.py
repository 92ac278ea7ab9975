"""The programs of examples/, each run as its users would, and the notebook cell by cell."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

import mien
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.labels import LabelSet
from mien.vision.sample import sample_photo

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# The notebook through its kernel, as Jupyter runs it; its outputs go to a file.
EXECUTE = """
import sys
import jupytext
from nbclient import NotebookClient

notebook = jupytext.read(sys.argv[1])
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
jupytext.write(notebook, sys.argv[2])
"""


def load(path: Path):
    """Return a module by its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_program(*command: object, cwd: Path, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_example_is_listed_and_run_here():
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    tests = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f"[{path.name}]({path.name})" in listed
        assert f'EXAMPLES / "{path.name}"' in tests


def execute_notebook(folder: Path, faces: int, epochs: int) -> list[dict]:
    """Execute the notebook in a folder; return its cells with their outputs."""
    pytest.importorskip("jupytext", reason="not installed: pip install 'mien[docs]'")
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    out = folder / "executed.ipynb"
    settings = {"WALKTHROUGH_FACES": str(faces), "WALKTHROUGH_EPOCHS": str(epochs)}
    places = {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_DATA_DIR": str(folder / "jupyter")}
    source = EXAMPLES / "walkthrough.py"
    run_program("-c", EXECUTE, source, out, cwd=folder, **settings, **places)
    return json.loads(out.read_text(encoding="utf-8"))["cells"]


def check_notebook(cells: list[dict], folder: Path) -> str:
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    pictures = [one for one in outputs if "image/png" in one.get("data", {})]
    assert len(pictures) >= 9  # look (2), augment, curves, confusion, mistakes, maps, photo (2)
    assert (folder / "runs/walkthrough/report.html").is_file()
    assert (folder / "walkthrough.onnx").is_file()
    printed = "".join("".join(one.get("text", "")) for one in outputs)
    assert "mien-s happy 0.9" in printed
    return printed


def test_the_notebook_runs(tmp_path):
    printed = check_notebook(execute_notebook(tmp_path, faces=140, epochs=1), tmp_path)
    assert "epoch 1: " in printed


@pytest.mark.slow
def test_the_notebook_as_it_is_learns_to_read_drawn_faces(tmp_path):
    printed = check_notebook(execute_notebook(tmp_path, faces=1000, epochs=8), tmp_path)
    accuracy = next(line for line in printed.splitlines() if line.startswith("accuracy "))
    assert float(accuracy.split()[1]) > 0.45


def test_the_notebook_for_colab_is_made_from_its_source():
    pytest.importorskip("jupytext", reason="not installed: pip install 'mien[docs]'")
    tool = load(ROOT / "tools" / "notebook.py")
    kept = (EXAMPLES / "walkthrough.ipynb").read_text(encoding="utf-8")
    project = {"urls": {"Repository": "https://github.com/someone/mien"}}
    assert tool.repository(project) == "someone/mien"
    assert tool.repository({}) == tool.repository({"urls": {"Repository": "https://a.b/c"}}) == ""
    assert kept in (tool.notebook(), tool.notebook("someone/mien")), "run tools/notebook.py"
    first = json.loads(tool.notebook("someone/mien"))["cells"][0]["source"]
    address = "github/someone/mien/blob/main/examples/walkthrough.ipynb"
    assert f"[open in Colab](https://colab.research.google.com/{address})\n" in first
    assert not any(cell.get("outputs") for cell in json.loads(kept)["cells"])


def test_fine_tuning_on_folders(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mien, "write_report", lambda run: run.path / "report.html")  # costs most
    labels = LabelSet(("bored", "glad", "puzzled"))
    write_dataset(synthetic_faces(60, label_set=labels), Path("my-faces"), "folders")
    settings = ("train.epochs=1", "train.frozen_epochs=0", "model.weights=mien-xs")
    evaluation = load(EXAMPLES / "finetune.py").main("my-faces", "runs/my-faces", *settings)
    said = capsys.readouterr().out
    assert f"accuracy on val: {evaluation.accuracy.value:.2f} (" in said
    assert "bored, glad, puzzled" in said
    assert mien.Bundle("runs/my-faces").labels == labels.names


@pytest.mark.slow
def test_the_fine_tuning_program_runs_from_a_terminal(tmp_path):
    labels = LabelSet(("bored", "glad", "puzzled"))
    write_dataset(synthetic_faces(60, label_set=labels), tmp_path / "my-faces", "folders")
    program = EXAMPLES / "finetune.py"
    settings = ("train.epochs=2", "train.frozen_epochs=1")
    said = run_program(program, "my-faces", "runs/my-faces", *settings, cwd=tmp_path)
    assert "accuracy on val: " in said
    assert (tmp_path / "runs/my-faces/report.html").is_file()


@pytest.fixture
def video(tmp_path) -> Path:
    picture = cv2.resize(cv2.imread(str(sample_photo())), (474, 256))
    path = tmp_path / "party.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (474, 256))
    for _ in range(5):
        writer.write(picture)
    writer.release()
    return path


def test_the_camera_program_counts_and_stops_when_its_window_is_closed(video, monkeypatch):
    program = load(EXAMPLES / "webcam.py")
    assert program.main(str(video), window=False)["happy"] == 5

    class Closed(mien.sinks.Sink):
        added = 0

        def __init__(self, *, is_live):
            assert not is_live

        def add(self, frame, readings):
            Closed.added += 1

        @classmethod
        def open(cls, target, context):
            raise NotImplementedError

        done = True

    monkeypatch.setattr(mien.sinks, "WindowSink", Closed)
    assert program.main(str(video))["happy"] == Closed.added == 1


def test_the_web_application_reads_a_photo_and_refuses_other_files():
    testclient = pytest.importorskip("starlette.testclient", reason="pip install 'mien[serve]'")
    program = load(EXAMPLES / "web_app.py")
    client = testclient.TestClient(program.app)
    assert "Choose a photo" in client.get("/").text
    answer = client.post("/", files={"photo": sample_photo().read_bytes()})
    assert answer.status_code == 200
    assert "<li>happy 9" in answer.text
    assert "data:image/jpeg;base64," in answer.text
    refused = client.post("/", files={"photo": ("<b>.jpg", b"no picture")})
    assert refused.status_code == 400
    assert "<b>" not in refused.text
    big = client.post("/", files={"photo": bytes((16 << 20) + 1)})
    assert big.status_code == 413


def test_the_batch_job_reads_a_folder_and_goes_on_where_it_was_stopped(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(sample_photo().read_bytes())
    program = EXAMPLES / "batch_job.py"
    assert "'happy': 1" in run_program(program, "photos", "readings", cwd=tmp_path)
    before = [path.stat().st_mtime_ns for path in (tmp_path / "readings").glob("part-*")]
    assert load(program).main(str(tmp_path / "photos"), str(tmp_path / "readings"))["happy"] == 1
    after = [path.stat().st_mtime_ns for path in (tmp_path / "readings").glob("part-*")]
    assert before == after
