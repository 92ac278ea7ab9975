"""Results to figures and one HTML file. Nothing here computes a result."""
