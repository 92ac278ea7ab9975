"""Evaluate networks: scores, intervals, calibration, robustness and tests, with their protocol."""

from mien.evaluation.evaluate import evaluate_bundle
from mien.evaluation.result import Evaluation

__all__ = ["Evaluation", "evaluate_bundle"]
