"""Sessions of ONNX Runtime, with bounded memory, and their answers, checked."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mien.bundle.runtime import ort
from mien.bundle.structure import refused_part
from mien.errors import BundleError, DataError, first_line
from mien.io.limits import CONTENT_MB, Limit, read_file
from mien.types import Images, Logits, Probabilities

INPUT_NAME: Final = "images"
OUTPUT_NAMES: Final = ("logits", "probabilities")
MAX_THREADS: Final = 64  # more would read small batches in int8 otherwise, and no batch faster
NETWORK_MB: Final = Limit("MIEN_MAX_NETWORK_MB", 4096, "MB of memory for the networks of Bundles")

_INPUT_TYPE: Final = "tensor(uint8)"
_OUTPUT_TYPE: Final = "tensor(float)"
_SUM_TOLERANCE: Final = 1e-3  # of probabilities that a provider may compute with 10 bits
_SOFTMAX_TOLERANCE: Final = 1e-2
_NO_MEMORY: Final = ("smaller than requested bytes", "bad_alloc", "Failed to allocate memory")
_PROBE_S: Final = 60  # of the first two crops, which take milliseconds

_registered: tuple[int, int] | None = None  # process and MB of the memory of all sessions


class _Part(NamedTuple):
    """An input or an output of a graph."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


def open_session(path: Path, *, threads: int, providers: Sequence[str]) -> ort.InferenceSession:
    """Return a new session for a file.

    Args:
        path: path of the ONNX file.
        threads: number of threads of a call, of which at most 64 are used; 0 for one on each core.
        providers: ONNX Runtime's names of the providers, in the order in which it tries them.

    Raises:
        BundleError: if the file cannot be read, is larger than the limit, is not ONNX, or has
            parts that no Bundle has.
    """
    # The content, not the path: ONNX Runtime opens no name that is not UTF-8.
    try:
        content = read_file(path, max_bytes=CONTENT_MB.value << 20)
    except DataError as error:
        raise BundleError(str(error)) from None
    try:
        refused = refused_part(content)
    except ValueError:
        raise BundleError(f"{path}: not an ONNX file, or a part of one") from None
    if refused:
        raise BundleError(
            f"{path}: not a Bundle: {refused}; expected a file that `mien export` made"
        )
    options = ort.SessionOptions()
    many = (threads or os.cpu_count() or 1) > MAX_THREADS
    options.intra_op_num_threads = MAX_THREADS if many else threads
    options.log_severity_level = 4  # an error is raised as well
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.use_env_allocators", "1")
    _bound_memory()
    try:
        # Without its fallback, which prints and tries the CPU again, where there is no other.
        fallback = int(len(providers) > 1)
        return ort.InferenceSession(
            content, options, providers=list(providers), enable_fallback=fallback
        )
    except Exception as error:  # onnxruntime's own errors share no narrower base
        raise BundleError(
            f"{path}: not an ONNX file that onnxruntime {ort.__version__} can run "
            f"({_reason(error)})"
        ) from None


def run(
    session: ort.InferenceSession, crops: Images, *, path: Path, classes: int, options: Any = None
) -> tuple[Logits, Probabilities]:
    """Return the logits and probabilities that a session gives for crops, once they are checked.

    Args:
        session: session of a Bundle.
        crops: crops of one call.
        path: path of the Bundle, for errors.
        classes: number of classes.
        options: ONNX Runtime's RunOptions; None for the usual ones.

    Raises:
        BundleError: if the graph cannot be run, or its answer cannot be one: it has another shape
            or type, is not finite, or the probabilities of a crop do not add up to 1.

    Shape: crops uint8 (N, size_px, size_px) or (N, size_px, size_px, 3) -> float32 (N, classes),
        float32 (N, classes).
    """
    try:
        answer = session.run(OUTPUT_NAMES, {INPUT_NAME: np.ascontiguousarray(crops)}, options)
    except Exception as error:  # onnxruntime's own errors share no narrower base
        raise BundleError(
            f"{path}: a damaged Bundle: it cannot be run ({_reason(error)})"
        ) from None
    with np.errstate(all="ignore"):  # sums of hostile numbers overflow
        wrong = wrong_answer(answer, (len(crops), classes))
    if wrong:
        raise BundleError(f"{path}: a damaged Bundle: {wrong}; export it again")
    return answer[0], answer[1]


def check_first_answer(
    session: ort.InferenceSession, shape: tuple[int, ...], *, path: Path, classes: int
) -> None:
    """Raise a BundleError if the answer for two made crops cannot be one, or takes a minute.

    Args:
        session: session of a Bundle.
        shape: shape of one crop.
        path: path of the Bundle, for errors.
        classes: number of classes.
    """
    crops = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    crops[0] = 0
    options = ort.RunOptions()
    options.log_severity_level = 4
    stop = threading.Timer(_PROBE_S, lambda: setattr(options, "terminate", True))
    stop.daemon = True
    stop.start()
    try:
        logits, probabilities = run(session, crops, path=path, classes=classes, options=options)
    finally:
        stop.cancel()
        stop.join()  # no thread is left that a fork would have to care for
    with np.errstate(all="ignore"):
        powers = np.exp(logits - logits.max(1, keepdims=True))
        softmax = powers / powers.sum(1, keepdims=True)
    if np.abs(softmax - probabilities).max() > _SOFTMAX_TOLERANCE:
        raise BundleError(
            f"{path}: a damaged Bundle: its probabilities are not the softmax of its logits; "
            "export it again"
        )


def check_signature(
    session: ort.InferenceSession, shape: tuple[int, ...], *, path: Path, classes: int
) -> None:
    """Raise a BundleError if the graph's input and outputs are not those of the metadata."""
    expected = {
        INPUT_NAME: ("face crops", _INPUT_TYPE, shape),
        **dict.fromkeys(OUTPUT_NAMES, ("labels", _OUTPUT_TYPE, (classes,))),
    }
    try:
        inputs = [_Part(one.name, one.type, tuple(one.shape)) for one in session.get_inputs()]
        outputs = [_Part(one.name, one.type, tuple(one.shape)) for one in session.get_outputs()]
    except UnicodeDecodeError:
        raise BundleError(f"{path}: not a Bundle: the names in its graph are not UTF-8") from None
    parts = {part.name: part for part in (*outputs, *inputs)}
    for name, (what, kind, rest) in expected.items():
        part = parts.get(name)
        found = part.shape if part else ()
        # A number in the first place takes so many crops and no others.
        if part is None or found[1:] != rest or not found or isinstance(found[0], int):
            said = f"has the shape {_shown(found)}" if part else "is missing"
            raise BundleError(
                f"{path}: a damaged Bundle: {name!r} of its graph {said}, expected "
                f"{_shown(('N', *rest))} for the {what} in its metadata; export it again"
            )
        if part.type != kind:
            raise BundleError(
                f"{path}: a damaged Bundle: {name!r} of its graph is a {part.type}, expected "
                f"{kind}; export it again"
            )
    others = [part.name for part in inputs if part.name != INPUT_NAME]
    if others:
        raise BundleError(
            f"{path}: a damaged Bundle: its graph takes {others[0]!r} as well, expected "
            f"{INPUT_NAME!r} alone; export it again"
        )


def wrong_answer(answer: Sequence[Any], shape: tuple[int, int]) -> str:
    """Return why an answer of a graph cannot be one; empty if it can.

    Args:
        answer: logits and probabilities.
        shape: numbers of crops and of classes.
    """
    for name, array in zip(OUTPUT_NAMES, answer, strict=True):
        if not isinstance(array, np.ndarray) or (array.dtype, array.shape) != (np.float32, shape):
            found = f"{getattr(array, 'dtype', type(array).__name__)} {np.shape(array)}"
            return f"its {name} are {found}, expected float32 {shape}"
    for name, array in zip(OUTPUT_NAMES, answer, strict=True):
        if not np.isfinite(array.sum()) and not np.isfinite(array).all():
            return f"its {name} are not finite for {_share(~np.isfinite(array).all(1))}"
    return wrong_probabilities(answer[1])


def wrong_probabilities(probabilities: npt.NDArray[Any]) -> str:
    """Return why numbers cannot be probabilities; empty if they can. Shape: (N, classes)."""
    sums = probabilities.sum(1)
    far = ~(np.abs(sums - 1) <= _SUM_TOLERANCE)  # NaN is far as well
    if far.any():
        return f"its probabilities add up to {sums[far][0]:g}, expected 1, for {_share(far)}"
    if probabilities.min(initial=0) < -_SUM_TOLERANCE:
        return f"its probabilities are negative for {_share((probabilities < 0).any(1))}"
    return ""


def _share(mask: Any) -> str:
    return f"{int(mask.sum())} of {len(mask)} crops"


def _bound_memory() -> None:
    """Let all sessions of this process share memory that is bounded."""
    global _registered  # ONNX Runtime keeps it for the process
    # A forked child has its own: a thread that it lacks may have held the lock of its parent's.
    wanted = os.getpid(), NETWORK_MB.value
    if _registered == wanted:
        return
    arena = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    place = ort.OrtMemoryInfo("Cpu", arena, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(place, ort.OrtArenaCfg({"max_mem": wanted[1] << 20}))
    _registered = wanted


def _reason(error: Exception) -> str:
    if any(words in str(error) for words in _NO_MEMORY):
        return f"its network takes {NETWORK_MB.exceeded()}"
    if "terminate" in str(error):
        return f"two crops take more than {_PROBE_S} seconds"
    return first_line(error)


def _shown(shape: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
