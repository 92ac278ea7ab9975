"""Sweeps: one recipe trained with many settings, and the results side by side."""
