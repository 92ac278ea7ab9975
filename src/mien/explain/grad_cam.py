"""Grad-CAM: which places speak for an emotion, by the gradients of its logit."""

from __future__ import annotations

import copy
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import Tensor

from mien.images.crop import SIZE_PX
from mien.models import Classifier, to_unit

_BATCH: Final = 64

Maps = npt.NDArray[np.float32]


def grad_cam(
    classifier: Classifier, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]
) -> Maps:
    """Return where each face speaks for an emotion, 0 nowhere to 1 most.

    Only what speaks for it counts, and each map is scaled by its own maximum; where nothing speaks
    for it, the map is 0. What the network does not look at, outside its middle ``input_px``, is 0.

    Args:
        classifier: left as it is: a copy is asked.
        images: of faces.
        labels: the emotion to explain, one a face.

    Shape: uint8 (N, 48, 48), (N,) -> float32 (N, 48, 48).
    Source: Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization, 2017; deviation: the layer is not the last one, but the last whose map has 5x5
    cells or more (``cam_layer`` of each family).
    """
    asked = copy.deepcopy(classifier).cpu().eval()
    network: Any = asked.network
    explainer = LayerGradCam(asked, network.cam_layer)
    side_px = min(asked.input_px, SIZE_PX)
    start = (SIZE_PX - side_px) // 2  # as Classifier.normalize cuts
    kept = slice(start, start + side_px)
    maps = np.zeros((len(images), SIZE_PX, SIZE_PX), np.float32)
    for first in range(0, len(images), _BATCH):
        rows = slice(first, first + _BATCH)
        unit = to_unit(torch.from_numpy(np.array(images[rows]))).requires_grad_()
        target = torch.from_numpy(np.array(labels[rows], np.int64))
        evidence: Tensor = explainer.attribute(unit, target, relu_attributions=True)
        evidence = evidence.detach()  # (batch, 1, cells, cells)
        evidence = F.interpolate(evidence, (side_px, side_px), mode="bilinear")
        most = evidence.amax((2, 3), keepdim=True)
        scaled = evidence / torch.where(most > 0, most, 1)
        maps[rows, kept, kept] = scaled.squeeze(1).numpy()
    return maps
