"""Probabilities and labels to an Evaluation: plain numbers, each with the protocol beside it."""

from mien.evaluation.evaluate import evaluate_bundle
from mien.evaluation.result import Evaluation

__all__ = ["Evaluation", "evaluate_bundle"]
