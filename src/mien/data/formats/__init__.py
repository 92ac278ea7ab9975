"""The layouts of face data sets, one module each."""
