"""A recipe's [model] to a network: a module per family, and what all of them share."""

from mien.models.classifier import (
    Classifier,
    build_model,
    count_macs,
    count_parameters,
    to_unit,
)

__all__ = ["Classifier", "build_model", "count_macs", "count_parameters", "to_unit"]
