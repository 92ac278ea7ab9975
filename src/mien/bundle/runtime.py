"""ONNX Runtime, imported without its telemetry.

Its telemetry comes from a thread of its own that also makes a forked child hang when it ends. The
switch counts when the library is first imported (see `mien.io.private`).
"""

from __future__ import annotations

from mien.io.private import without_telemetry

with without_telemetry():
    import onnxruntime as ort

__all__ = ["ort"]
