"""Grad-CAM: regions that are evidence for a class, by the gradients of its logit."""

from __future__ import annotations

import copy
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import Tensor

from mien.images.crop import centre_crop
from mien.models import Classifier, to_unit
from mien.types import Images, Labels, Maps

_BATCH: Final = 64


def grad_cam(classifier: Classifier, images: Images, labels: Labels) -> Maps:
    """Return the Grad-CAM map of each face, from 0 for no evidence to 1 for the most.

    Only positive evidence counts. Each map is scaled by its own maximum; a map without any evidence
    is 0 everywhere. Outside the centre crop that the network reads, maps are 0.

    Args:
        classifier: network to explain; it is copied and stays unchanged.
        images: face crops.
        labels: class to explain for each face.

    Shape: uint8 (N, size_px, size_px) or (N, size_px, size_px, 3), (N,) -> float32 (N, size_px,
        size_px).
    Source: Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization, 2017; deviation: the layer is not the last one, but the last whose feature map
    has 5x5 cells or more (``cam_layer`` of each network family).
    """
    explained = copy.deepcopy(classifier).cpu().eval()
    explainer = LayerGradCam(explained, explained.network.cam_layer)
    side_px = min(explained.input_px, images.shape[1])
    maps = np.zeros(images.shape[:3], np.float32)
    for first in range(0, len(images), _BATCH):
        rows = slice(first, first + _BATCH)
        unit = to_unit(torch.from_numpy(np.array(images[rows]))).requires_grad_()
        target = torch.from_numpy(np.array(labels[rows], np.int64))
        evidence: Tensor = explainer.attribute(unit, target, relu_attributions=True)
        evidence = evidence.detach()  # (batch, 1, cells, cells)
        evidence = F.interpolate(evidence, (side_px, side_px), mode="bilinear")
        most = evidence.amax((2, 3), keepdim=True)
        scaled = evidence / torch.where(most > 0, most, 1)
        centre_crop(maps[rows], side_px)[:] = scaled.squeeze(1).numpy()
    return maps
