"""Networks: one module per family, the classifier around them, and their weights."""

from mien.models.base import DEFAULT_TASK, Network, Task
from mien.models.classifier import (
    Classifier,
    build_model,
    count_macs,
    count_parameters,
    to_levels,
    to_unit,
)

__all__ = [
    "DEFAULT_TASK",
    "Classifier",
    "Network",
    "Task",
    "build_model",
    "count_macs",
    "count_parameters",
    "to_levels",
    "to_unit",
]
