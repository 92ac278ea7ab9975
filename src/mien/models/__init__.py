"""A recipe's [model] to a network: one file a family, and a table of them."""

from mien.models.classifier import Classifier, count_macs, count_parameters, to_unit
from mien.models.table import build_model

__all__ = ["Classifier", "build_model", "count_macs", "count_parameters", "to_unit"]
