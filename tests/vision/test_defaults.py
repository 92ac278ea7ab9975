from __future__ import annotations

import subprocess
import sys


def test_defaults_are_known_without_what_reads():
    code = "import sys, mien.vision.defaults; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
