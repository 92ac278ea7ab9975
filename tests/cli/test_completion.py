from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("mien pred", ["predict"]),
        ("mien data au", ["audit"]),
        ("mien train qu", ["quick"]),
        ("mien train quick --da", ["--data"]),
        ("mien evaluate mien-x", ["mien-xs"]),
        ("mien evaluate runs/a --split v", ["val"]),
        ("mien train no-such-recipe", []),
    ],
)
def test_the_shell_completes_verbs_options_and_names(words, completed):
    position = str(len(words.split()) - 1)
    told = {"_MIEN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": position}
    ended = subprocess.run(
        [Path(sys.executable).with_name("mien")],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ended.stdout.split(), ended.stderr) == (completed, "")
