"""Bundles: export a trained network as one self-describing ONNX file, run it and measure it."""
