from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import os
import cv2, numpy
before, threads = dict(os.environ), len(os.listdir("/proc/self/task"))
from mien.bundle.bundle import Bundle
bundle = Bundle("mien-xs", threads=1)
assert dict(os.environ) == before
print(len(os.listdir("/proc/self/task")) - threads)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc")
def test_the_runtime_has_no_thread_that_reports_to_its_vendor():
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert ran.stdout == "0\n"
