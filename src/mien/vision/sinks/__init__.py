"""Where readings go, one module each."""
