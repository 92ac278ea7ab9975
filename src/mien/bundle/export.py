"""A classifier to a Bundle, checked against torch before anybody gets it."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor, nn

from mien.bundle.bundle import INPUT_NAME, OUTPUT_NAMES, Bundle, BundleMetadata
from mien.errors import BundleError
from mien.images.crop import SIZE_PX
from mien.io.files import atomic_file, write_bytes
from mien.models import Classifier, to_unit
from mien.models.layers import fold

PARITY_TOLERANCE: Final = 1e-5
_PARITY_IMAGES: Final = 256
_TIMES_ROUNDING: Final = 3  # how much further than torch's float32 a Bundle may be from float64


class _Deployed(nn.Module):
    """Everything from gray levels to probabilities, as one graph."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: uint8 (batch, 48, 48) -> logits (batch, 7), probabilities (batch, 7)."""
        return self.outputs(to_unit(images))

    def outputs(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same of images in [0, 1]. Shape: float (batch, 1, 48, 48)."""
        logits = self.classifier(unit)
        return logits, torch.softmax(logits, dim=1)


def export_bundle(
    classifier: Classifier,
    metadata: BundleMetadata,
    path: Path,
    *,
    samples: npt.NDArray[np.uint8] | None = None,
) -> Bundle:
    """Write a classifier as a Bundle and return it.

    Args:
        classifier: trained, on any device.
        metadata: what the Bundle says of itself.
        path: of the file, replaced if it exists.
        samples: face crops on which torch and ONNX Runtime must agree, beside made-up ones.

    Raises:
        BundleError: if a logit or a probability differs from what torch computes in float64 by
            more than 1e-5 (of the largest logit, where that is above 1), and by more than three
            times what torch's own float32 does; no file is written then.

    Shape: samples uint8 (N, 48, 48).
    """
    deployed = _Deployed(fold(classifier.cpu().float())).eval()
    example = torch.zeros(2, SIZE_PX, SIZE_PX, dtype=torch.uint8)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            deployed,
            (example,),
            dynamo=True,
            external_data=False,
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
            verbose=False,
        )
    assert program is not None  # dynamo=True always returns a program
    model = _without_traces(program.model_proto)
    onnx.helper.set_model_props(model, metadata.as_properties())
    with atomic_file(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        _check_parity(deployed, Bundle(temporary), samples)
    return Bundle(path)


def update_metadata(bundle: Bundle, metadata: BundleMetadata) -> Bundle:
    """Replace what a Bundle says of itself; its graph and weights stay as they are."""
    model = onnx.load(bundle.path)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata.as_properties())
    write_bytes(bundle.path, model.SerializeToString())
    return Bundle(bundle.path, threads=bundle.threads)


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take out what the exporter notes of its own work: a stack trace, paths and all, a node."""
    for part in (model.graph, *model.graph.node, *model.graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]
    return model


def _check_parity(
    deployed: _Deployed, bundle: Bundle, samples: npt.NDArray[np.uint8] | None
) -> None:
    shape = (SIZE_PX, SIZE_PX)
    flat = [np.full(shape, level, np.uint8) for level in (0, 1, 128, 255)]
    noise = np.random.default_rng(0).integers(0, 256, (28, *shape), np.uint8)
    images = np.concatenate([flat, noise, *([] if samples is None else [samples[:_PARITY_IMAGES]])])
    unit = to_unit(torch.from_numpy(images))
    with torch.no_grad():
        by_torch = deployed.outputs(unit)
        exact = copy.deepcopy(deployed).double().outputs(unit.double())
    for name, ours, theirs, right in zip(
        OUTPUT_NAMES, bundle.predict(images), by_torch, exact, strict=True
    ):
        scale = max(1.0, float(right.abs().max()))  # fp32 has seven digits, however large
        error = float(np.abs(ours - right.numpy()).max()) / scale
        # Deep networks lose more digits to rounding than this, in torch as well.
        rounding = float((theirs.double() - right).abs().max()) / scale
        allowed = max(PARITY_TOLERANCE, _TIMES_ROUNDING * rounding)
        if not error < allowed:
            raise BundleError(
                f"{name} of the exported Bundle differ from torch's by {error:.1e} of the largest, "
                f"expected less than {allowed:.0e}; it was not written"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes about its own internals from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
