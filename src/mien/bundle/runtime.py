"""ONNX Runtime, imported without its telemetry.

Newer wheels of it for Linux report to their vendor, from a thread of their own that also makes a
forked child hang when it ends. The switch counts when the library is first imported: a program that
imports onnxruntime before mien sets ``ORT_DISABLE_TELEMETRY=1`` itself.
"""

from __future__ import annotations

import os
from typing import Final

_SWITCH: Final = "ORT_DISABLE_TELEMETRY"

_was_set = _SWITCH in os.environ
os.environ.setdefault(_SWITCH, "1")
try:
    import onnxruntime as ort
finally:
    if not _was_set:
        del os.environ[_SWITCH]

__all__ = ["ort"]
