"""Explanations: which regions of a face a network's answer depends on, and a check of the maps."""
