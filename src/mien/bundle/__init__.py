"""A trained network to a Bundle, one self-describing ONNX file, and back."""
