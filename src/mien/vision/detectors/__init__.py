"""Face detectors, one module each."""
