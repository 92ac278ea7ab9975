"""Measure the speed of a Bundle on this machine, and its share of the machine's peak."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle
from mien.bundle.runtime import ort
from mien.bundle.session import INPUT_NAME, OUTPUT_NAMES
from mien.errors import MienError

Precision = Literal["float32", "int8"]

_WARM_UP: Final = 3
_PRODUCT: Final = 1024  # rows and columns of the matrices whose product is the peak
_PEAK_SHARE: Final = 0.5  # of the seconds of a measurement, before and after it


@dataclass(frozen=True)
class Speed:
    """The measured speed of a Bundle for one batch size and number of threads.

    Args:
        bundle: name of the Bundle.
        precision: number format in which the convolutions compute.
        threads: number of threads of each call.
        batch: number of faces in each call.
        calls: number of timed calls.
        latency_ms: median latency of a call, in milliseconds.
        latency_p95_ms: 95th percentile of the latency of a call, in milliseconds.
        faces_per_second: faces per second over all calls.
        operations_per_second: operations per second, two for each multiply-accumulate; None if the
            Bundle does not record its multiply-accumulates.
        peak_per_second: operations per second of ONNX Runtime's matrix product in the same
            precision on as many threads, measured before and after; None without onnx, which the
            ``train`` extra installs.
    """

    bundle: str
    precision: Precision
    threads: int
    batch: int
    calls: int
    latency_ms: float
    latency_p95_ms: float
    faces_per_second: float
    operations_per_second: float | None
    peak_per_second: float | None

    @property
    def share_of_peak(self) -> float | None:
        """Share of the machine's peak that is reached; None if it is not known."""
        if self.operations_per_second is None or self.peak_per_second is None:
            return None
        return self.operations_per_second / self.peak_per_second

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON and CSV."""
        return {**asdict(self), "share_of_peak": self.share_of_peak}


def measure_speed(bundle: Bundle, *, batch: int, seconds: float = 1.0) -> Speed:
    """Time calls of a Bundle, and measure the machine's peak before and after them.

    Args:
        bundle: Bundle that was opened with the number of threads to measure.
        batch: number of faces in each call.
        seconds: minimum total duration of the calls, in seconds.

    Raises:
        MienError: if the batch is smaller than 1.
    """
    if batch < 1:
        raise MienError(f"batch of {batch} faces: expected at least 1")
    about, threads = bundle.metadata, bundle.threads
    faces = np.random.default_rng(0).integers(0, 256, (batch, *bundle.crop.shape), np.uint8)
    session = bundle.open_session()
    product = _matrix_product(about.precision, threads)
    peaks = [_rate(product, seconds * _PEAK_SHARE)] if product else []
    times = _times(lambda: session.run(OUTPUT_NAMES, {INPUT_NAME: faces}), seconds)
    peaks += [_rate(product, seconds * _PEAK_SHARE)] if product else []
    faces_per_second = batch * len(times) / float(times.sum())
    return Speed(
        bundle=about.name,
        precision=about.precision,
        threads=threads,
        batch=batch,
        calls=len(times),
        latency_ms=float(np.median(times)) * 1e3,
        latency_p95_ms=float(np.percentile(times, 95)) * 1e3,
        faces_per_second=faces_per_second,
        operations_per_second=2 * about.macs * faces_per_second if about.macs else None,
        peak_per_second=max(peaks) if peaks else None,
    )


def _matrix_product(precision: Precision, threads: int) -> Callable[[], Any] | None:
    """Return a function that calls ONNX Runtime's matrix product; None if onnx is missing."""
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    size = (_PRODUCT, _PRODUCT)
    generator = np.random.default_rng(0)
    left: npt.NDArray[Any]
    right: npt.NDArray[Any]
    if precision == "int8":
        left = generator.integers(0, 256, size).astype(np.uint8)
        # 7 bits, as in our Bundles (see `mien.bundle.quantize`)
        right = generator.integers(-64, 65, size).astype(np.int8)
        kind, given, made = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
    else:
        left, right = (generator.standard_normal(size, np.float32) for _ in range(2))
        kind, given, made = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(kind, ["left", "right"], ["product"])],
        "peak",
        [helper.make_tensor_value_info("left", given, size)],
        [helper.make_tensor_value_info("product", made, size)],
        [numpy_helper.from_array(right, "right")],
    )
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"left": left})


def _rate(product: Callable[[], Any], seconds: float) -> float:
    """Return the operations per second of the fastest call, which is the peak."""
    return 2 * _PRODUCT**3 / float(_times(product, seconds).min())


def _times(call: Callable[[], Any], seconds: float) -> npt.NDArray[np.float64]:
    """Return the duration of each call in seconds, after a warm-up."""
    for _ in range(_WARM_UP):
        call()
    times: list[float] = []
    total = 0.0
    while total < seconds:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
        total += times[-1]
    return np.array(times)
