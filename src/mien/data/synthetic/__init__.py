"""Drawn faces, and images without a face."""
