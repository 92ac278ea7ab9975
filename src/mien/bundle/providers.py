"""Choose the execution provider: the part of ONNX Runtime that computes a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mien.bundle.provider_names import AUTO, CPU, PROVIDERS, RUNTIME_NAMES
from mien.bundle.runtime import ort
from mien.errors import BundleError, nearest

# What provides them: each package replaces the package onnxruntime.
_PACKAGES: Final = {
    "cuda": "onnxruntime-gpu",
    "coreml": "onnxruntime on macOS",
    "directml": "onnxruntime-directml",
    "openvino": "onnxruntime-openvino",
}


@dataclass(frozen=True)
class Choice:
    """The providers of a session.

    Args:
        names: ONNX Runtime's names of the providers, in the order in which it tries them.
        note: reason why the wanted provider is not used; empty if it is.
    """

    names: tuple[str, ...]
    note: str = ""


def choose_provider(wanted: str, installed: Sequence[str] | None = None) -> Choice:
    """Return the providers for a wanted one; the CPU comes last and computes what is left.

    Args:
        wanted: a name in `PROVIDERS`.
        installed: ONNX Runtime's names of the installed providers; None to ask ONNX Runtime.

    Raises:
        BundleError: if there is no provider of that name.
    """
    if wanted not in PROVIDERS:
        raise BundleError(
            f"provider {wanted!r}{nearest(wanted, PROVIDERS)}: expected {', '.join(PROVIDERS)}"
        )
    there = ort.get_available_providers() if installed is None else installed
    cpu = RUNTIME_NAMES[CPU]
    if wanted == AUTO:
        best = next((name for name in RUNTIME_NAMES.values() if name in there), cpu)
    else:
        best = RUNTIME_NAMES[wanted]
    if best == cpu:
        return Choice((cpu,))
    if best not in there:
        return Choice(
            (cpu,),
            f"ONNX Runtime has no {wanted} provider here, so the CPU is used; it comes with "
            f"{_PACKAGES[wanted]}, in place of the package onnxruntime",
        )
    return Choice((best, cpu))


def missing_note(choice: Choice, used: Sequence[str]) -> str:
    """Return the reason why a session does not use its first provider; empty if it does.

    Args:
        choice: providers that the session was asked for.
        used: providers that the session uses.
    """
    if choice.names[0] in used:
        return choice.note
    name = next(key for key, value in RUNTIME_NAMES.items() if value == choice.names[0])
    return (
        f"ONNX Runtime could not start its {name} provider (is its driver there?); the CPU is used"
    )
