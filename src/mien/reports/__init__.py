"""Pages, tables and figures of results; nothing here computes a result."""
