"""Probabilities and labels to an Evaluation: plain numbers, each with the protocol beside it."""

from mien.evaluation.evaluate import Evaluation, Protocol, evaluate, evaluate_bundle

__all__ = ["Evaluation", "Protocol", "evaluate", "evaluate_bundle"]
