"""Bad input gets one line that says what, where, what was expected; code 2; nothing is left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mien.cli import main

GOOD_ROW = "3," + " ".join(["7"] * 2304) + ",Training"
HEADER = "emotion,pixels,Usage"


def csv_with(row: str) -> str:
    return "\n".join([HEADER, GOOD_ROW, row, GOOD_ROW]) + "\n"


FILES = {
    "short.csv": csv_with("3," + " ".join(["7"] * 2303) + ",Training"),
    "high.csv": csv_with("3,256 " + " ".join(["7"] * 2303) + ",Training"),
    "letter.csv": csv_with("3,x " + " ".join(["7"] * 2303) + ",Training"),
    "emotion.csv": csv_with("9," + " ".join(["7"] * 2304) + ",Training"),
    "empty.csv": "",
    "header.csv": HEADER + "\n",
    "text.jpg": "I am no image",
    "broken.toml": "[train\n",
    "train.csv": "\n".join([HEADER, *(f"{row % 7}{GOOD_ROW[1:]}" for row in range(30))]) + "\n",
    "faces/sad/bad.png": "I am no image",
    "cats/1.png": "",
}

CASES = {
    "missing data": ("data info nowhere.csv", "nowhere.csv: no such file or folder"),
    "empty CSV": ("data info empty.csv", "empty.csv"),
    "only a header": ("data info header.csv", "no usable rows"),
    "too few pixels": ("data info short.csv", "short.csv: row 2 has 2,303 pixels, expected 2,304"),
    "a value of 256": ("data info high.csv", "high.csv: row 2 has '256' as pixel 1"),
    "a letter": ("data info letter.csv", "letter.csv: row 2 has 'x' as pixel 1"),
    "unknown label": ("data info emotion.csv", "row 2 has the unknown label '9'"),
    "unreadable image": ("data info faces", "bad.png: a text file cannot be decoded"),
    "no class folders": ("data info cats", "no class folder"),
    "unknown recipe": ("train quik --data train.csv", "did you mean 'quick'"),
    "broken recipe": ("train broken.toml --data train.csv", "not valid TOML"),
    "unknown key": (
        "train quick --data train.csv --set train.epoch=3",
        "unknown key 'train.epoch' (did you mean 'train.epochs'?)",
    ),
    "a run that exists": ("train quick --data train.csv --out faces", "faces: exists already"),
    "resume of nothing": ("train --resume nowhere", "nowhere: no such run directory"),
    "no such split": (
        "evaluate mien-s --data train.csv --split test",
        "split 'test' has no images (there are: train 28, val 2)",
    ),
    "no such model": ("evaluate nowhere --data train.csv", "nowhere: no such run"),
    "no Bundle file": (
        "predict text.jpg --model nowhere.onnx",
        "nowhere.onnx: no such file or run, expected a Bundle (.onnx)",
    ),
    "no Bundle": ("predict text.jpg --model text.jpg", "not an ONNX file"),
    "no image": ("predict text.jpg", "text.jpg: a text file cannot be decoded"),
    "no photo": ("predict nowhere.jpg", "nowhere.jpg: no such file"),
    "a folder as photo": ("predict faces", "faces: a folder"),
    "a demo without its photo": (
        "demo --data train.csv --photo nowhere.jpg",
        "nowhere.jpg: no such",
    ),
    "export of nothing": ("export nowhere", "nowhere: no such run directory"),
    "a comparison of one": ("compare nowhere", "1 run to compare, expected at least two"),
    "a comparison with itself": ("compare faces faces", "faces: named twice"),
    "a comparison of no runs": ("compare faces cats", "faces: not a run directory"),
    "a sweep of nothing": ("sweep quick --data train.csv", "quick: a recipe; name settings to try"),
    "an unknown sweep": ("sweep sweep-stage --data train.csv", "did you mean 'sweep-stages'"),
    "a grid over an unknown key": (
        "sweep quick --data train.csv --grid model.stagges=2,3",
        "unknown key 'model.stagges' of the family stacked (did you mean 'model.stages'?)",
    ),
    "a sweep of no data": ("sweep sweep-stages --data nowhere.csv", "nowhere.csv: no such file"),
    "a sweep over the splits": (
        "sweep quick --data train.csv --grid data.seed=0,1",
        "data.seed would give the trials different validation images",
    ),
    "resume of no sweep": ("sweep --resume faces", "faces: not a sweep directory"),
    "weights of another kind": (
        "train densenet169 --data train.csv --set model.weights=text.jpg",
        "text.jpg: not a safetensors file",
    ),
    "weights that are not there": (
        "train densenet169 --data train.csv --set model.weights=nowhere",
        "model.weights = 'nowhere': no such run or file",
    ),
    "an unknown family": (
        "train quick --data train.csv --set model.family=staked",
        "model.family: no network family is called 'staked' (did you mean 'stacked'?)",
    ),
    "an unknown recipe to print": ("recipes quik", "no recipe or sweep is called 'quik' (did you"),
    "a recipe to print that is no TOML": ("recipes broken.toml", "not valid TOML"),
    "an unknown test-time augmentation": (
        "evaluate mien-xs --data train.csv --tta flop",
        "no test-time augmentation is called 'flop' (did you mean 'flip'?)",
    ),
    "an unknown detector": ("predict text.jpg --detector yunett", "did you mean 'yunet'"),
    "save as text": ("predict text.jpg --save a.txt", "cannot save this kind"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_one_line_code_2_and_nothing_left(mien, folder, case):
    command, expected = CASES[case]
    before = sorted(folder.rglob("*"))
    outcome = mien(*command.split())
    assert outcome.code == 2
    assert expected in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith("mien: ")
    assert outcome.out == ""
    assert sorted(folder.rglob("*")) == before


def test_libpng_adds_nothing_to_the_one_line(tmp_path):
    (tmp_path / "faces" / "sad").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    content = cv2.imencode(".png", noise)[1].tobytes()
    middle = len(content) // 2
    (tmp_path / "faces/sad/damaged.png").write_bytes(
        content[:middle] + bytes(20) + content[middle + 20 :]
    )
    outcome = subprocess.run(
        [sys.executable, "-m", "mien", "data", "info", "faces"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("mien: ")
    assert outcome.stderr.count("\n") == 1


def test_too_little_memory_is_said_without_a_traceback(monkeypatch, capsys):
    monkeypatch.setattr(main, "app", lambda: torch.empty(2**55, dtype=torch.uint8))
    with pytest.raises(SystemExit, match="2"):
        main.main()
    assert capsys.readouterr().err.startswith("mien: not enough memory; close other programs")


@pytest.mark.parametrize(
    "command",
    ["train", "train quick", "train --resume a --out b", "train --resume a --skip-bad",
     "evaluate mien-s", "predict", "nonsense", "data synth x --count 3",
     "evaluate mien-s --data train.csv --split training"],
)  # fmt: skip
def test_a_command_that_lacks_something_says_what(mien, folder, command):
    before = sorted(folder.rglob("*"))
    outcome = mien(*command.split())
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "command", ["data synth faces.csv --layout csv --count 70", "data synth drawn --count 70",
                "predict {astronaut} --save read.png"]
)  # fmt: skip
def test_a_full_disk_leaves_nothing(folder, command):
    """A limit on the size of files stands for the disk: writes fail half-way."""
    import skimage

    astronaut = Path(skimage.__file__).parent / "data" / "astronaut.png"
    before = sorted(folder.rglob("*"))
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))\n"
        "from mien.cli.main import main; main()"
    )
    arguments = command.format(astronaut=astronaut).split()
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "cannot be written (File too large)" in result.stderr
    assert result.stderr.count("\n") == 1
    assert sorted(folder.rglob("*")) == before
