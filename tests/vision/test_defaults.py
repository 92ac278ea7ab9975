from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["mien.vision.defaults", "mien.vision.sources.base", "mien.sinks", "mien.cli.main"]
)
def test_defaults_and_contracts_are_known_without_opencv(module):
    code = f"import sys, {module}; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
