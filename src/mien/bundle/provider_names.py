"""Names of the execution providers; a module of its own, since importing ONNX Runtime takes time.

The command line shows them in its help.
"""

from __future__ import annotations

from typing import Final

CPU: Final = "cpu"
AUTO: Final = "auto"

# ONNX Runtime's names; `auto` takes the first one that is installed.
RUNTIME_NAMES: Final = {
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    CPU: "CPUExecutionProvider",
}
PROVIDERS: Final = (AUTO, *RUNTIME_NAMES)
