"""The device and precision of a training, and whether it is deterministic."""

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
        MienError: if CUDA is requested and there is no CUDA device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise MienError("device cuda: torch finds no CUDA device here; train with device cpu")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def resolve_precision(precision: str, device: str) -> Literal["fp32", "bf16"]:
    """Return bf16 if it is requested, or if the processor supports it, and so is faster in it."""
    if precision == "auto":
        if device == "cuda":
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
        can = torch.cpu.get_capabilities()
        return "bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "fp32"
    return "bf16" if precision == "bf16" else "fp32"


@contextmanager
def exact_arithmetic(device: str, train: TrainSection) -> Iterator[None]:
    """Let a GPU compute exactly, and deterministically if the recipe says so, inside this block.

    TF32, which cuDNN uses for float32 convolutions by default, has a mantissa of ten bits, and its
    losses would differ from a CPU's in the third digit, so it is off. With ``train.deterministic``
    cuDNN and cuBLAS use only algorithms that give the same sums each time, so that a resumed run
    ends in the same weights; without it, cuDNN tries which algorithm is fastest. On a CPU nothing
    changes.

    Args:
        device: ``cpu`` or ``cuda``.
        train: [train] section of the recipe.
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


@contextmanager
def fixed_threads(threads: int) -> Iterator[None]:
    """Let torch use this number of CPU threads inside this block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
