"""Import libraries that report to their vendors with the reporting switched off.

ONNX Runtime: newer wheels for Linux look up a collector ten seconds after the first session, and
keep a device id in the user's cache. huggingface_hub: adds the versions of libraries to its
requests, and can send reports. Each reads its switch once, when it is first imported: a program
that imports one of them before mien sets the variables itself.

Nothing of the kind was found in the Python files of kagglehub 1.0.3, lightning 2.6, optuna 5, torch
2.13, matplotlib 3.11 and opencv 4.14.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SWITCHES: Final = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Set the switches while a library is imported; those that the user has set are kept."""
    added = [name for name in SWITCHES if name not in os.environ]
    os.environ.update({name: SWITCHES[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
