"""Where frames come from, one module each."""
