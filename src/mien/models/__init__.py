"""Networks: one module per family, the classifier around them, and their weights."""

from mien.models.classifier import (
    Classifier,
    build_model,
    count_macs,
    count_parameters,
    to_unit,
)

__all__ = ["Classifier", "build_model", "count_macs", "count_parameters", "to_unit"]
