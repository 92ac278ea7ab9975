"""Pages, tables and figures that show results; nothing here computes a result."""
