"""Where to train, in which precision, and whether the same training gives the same weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from mien.errors import MienError
from mien.recipes.sections import TrainSection

Device = Literal["auto", "cpu", "cuda"]

_CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


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
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
        can = torch.cpu.get_capabilities()
        return "bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "fp32"
    return "bf16" if precision == "bf16" else "fp32"


@contextmanager
def exact_arithmetic(device: str, train: TrainSection) -> Iterator[None]:
    """Set what decides how exactly a GPU computes, for the time of a training.

    float32 is float32: TF32, which cuDNN takes for convolutions by default, has ten bits of
    mantissa, by which losses would differ from the CPU's in the third digit. With
    ``train.deterministic`` cuDNN and cuBLAS take only algorithms that give the same sums each time,
    so that a resumed run ends in the same weights; without it, cuDNN tries which one is fastest. On
    a CPU nothing is changed.

    Args:
        device: ``cpu`` or ``cuda``.
        train: the recipe's [train].
    """
    if device != "cuda":
        yield
        return
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic
    workspace = os.environ.get(_CUBLAS_WORKSPACE)
    if train.deterministic:
        # Read when cuBLAS is first used: the size is one of two that NVIDIA calls deterministic.
        os.environ.setdefault(_CUBLAS_WORKSPACE, ":4096:8")
    cudnn.allow_tf32, cudnn.benchmark = False, not train.deterministic
    cudnn.deterministic = train.deterministic
    try:
        yield
    finally:
        cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = before
        if workspace is None:
            os.environ.pop(_CUBLAS_WORKSPACE, None)
