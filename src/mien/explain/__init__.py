"""Explanations: which places of a face a network's answer depends on, and a check of the maps."""
