"""Export of a classifier as a Bundle, checked against torch before it is written."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor, nn

from mien.bundle.bundle import Bundle
from mien.bundle.metadata import BundleMetadata
from mien.bundle.session import INPUT_NAME, OUTPUT_NAMES
from mien.errors import BundleError
from mien.io.files import atomic_file, write_bytes
from mien.io.quiet import quiet_logger
from mien.models import Classifier, to_unit
from mien.models.layers import fold

PARITY_TOLERANCE: Final = 1e-5
_PARITY_IMAGES: Final = 256
_TIMES_ROUNDING: Final = 3  # allowed error, relative to that of torch's own float32


class _Deployed(nn.Module):
    """The whole graph, from gray levels to probabilities."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and probabilities of uint8 face crops.

        Shape: (batch, size_px, size_px), or (batch, size_px, size_px, 3) in colour -> (batch,
            classes), (batch, classes).
        """
        return self.outputs(to_unit(images))

    def outputs(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs for images in [0, 1]. Shape: float (batch, channels, side, side)."""
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
        classifier: trained classifier, on any device.
        metadata: metadata of the Bundle.
        path: path of the file, which is replaced if it exists.
        samples: face crops on which torch and ONNX Runtime have to agree, in addition to synthetic
            images.

    Raises:
        BundleError: if a logit or a probability differs from what torch computes in float64 by more
            than 1e-5 (relative to the largest logit if that is above 1), and by more than three
            times what torch's own float32 does; no file is written then.

    Shape: samples uint8 (N, size_px, size_px), or (N, size_px, size_px, 3) in colour.
    """
    deployed = _Deployed(fold(classifier.cpu().float())).eval()
    example = torch.zeros(2, *classifier.task.crop.shape, dtype=torch.uint8)
    with quiet_logger("torch.onnx", warnings_of=".*"), torch.no_grad():
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
    """Replace the metadata of a Bundle, and return the Bundle; the graph stays the same."""
    model = onnx.load(bundle.path)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata.as_properties())
    write_bytes(bundle.path, model.SerializeToString())
    return Bundle(bundle.path, threads=bundle.threads)


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the exporter's stack traces, which contain paths of this machine."""
    for part in (model.graph, *model.graph.node, *model.graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]
    return model


def _check_parity(
    deployed: _Deployed, bundle: Bundle, samples: npt.NDArray[np.uint8] | None
) -> None:
    shape = bundle.crop.shape
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
                f"expected less than {allowed:.0e}; the Bundle was not written"
            )
