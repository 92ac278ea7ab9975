"""Where to train, and in which precision."""

from __future__ import annotations

from typing import Literal

import torch

from mien.errors import MienError

Device = Literal["auto", "cpu", "cuda"]


def resolve_device(device: Device) -> str:
    """Return the device to train on.

    Raises:
        MienError: if CUDA is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise MienError("device cuda: torch sees no CUDA device here; train on the cpu")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def resolve_precision(precision: str, device: str) -> Literal["fp32", "bf16"]:
    """Take bf16 where the processor computes in it; elsewhere it would be slower, not faster."""
    if precision == "auto":
        if device == "cuda":
            return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
        can = torch.cpu.get_capabilities()
        return "bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "fp32"
    return "bf16" if precision == "bf16" else "fp32"
