"""Network families: one module each, with its settings section and its Network."""
