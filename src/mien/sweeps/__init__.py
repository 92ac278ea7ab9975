"""Sweeps: train one recipe with many settings, and compare the results."""
